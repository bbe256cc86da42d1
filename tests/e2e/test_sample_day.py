"""What `./yilian up` promises a newcomer."""

from __future__ import annotations

import json

import psycopg

from simulators.hazards import hazardous_ideographs
from simulators.people import DEMO
from tests.e2e.consortium import Consortium

ID_CARD = "urn:oid:2.16.156.10011.1.3"
CAMPUSES = {"MAIN": 85.0, "HP": 7.1, "HY": 1.2}
EFFECTS = (
    "bus.inbox",
    *(f"records.{t}" for t in ("encounter", "report", "result", "document", "charge", "history")),
)
ENDPOINTS = {
    "api",
    "fhir",
    "mllp",
    "pix",
    "soap_wsdl",
    "web",
    "temporal_ui",
    "airflow_ui",
    "rabbitmq_ui",
    "postgres",
    "amqp",
}


def sample(system: Consortium) -> dict[str, dict[str, object]]:
    """Return what the sample day gave, by campus."""
    return dict(json.loads((system.home / "sample.json").read_text())["campuses"])


def test_every_service_is_healthy_and_has_an_address(consortium: Consortium) -> None:
    status = consortium.status()
    ill = {name: of for name, of in status["services"].items() if not of["healthy"]}
    assert status["healthy"], ill
    assert not ill
    assert set(status["endpoints"]) >= ENDPOINTS


def test_sent_recorded_held_and_refused_add_up_by_campus(consortium: Consortium) -> None:
    for campus, told in sample(consortium).items():
        held = sum(told["held"].values())  # type: ignore[attr-defined]
        parts = told["recorded"] + held + told["refused"] + told["duplicates"]  # type: ignore[operator]
        assert told["sent"] == parts, (campus, told)
        expected = told["expected"]
        assert {name: told[name] for name in expected} == expected, campus  # type: ignore[attr-defined]


def test_the_campuses_send_in_their_ratio(consortium: Consortium) -> None:
    sent = {campus: float(str(told["sent"])) for campus, told in sample(consortium).items()}
    assert set(sent) == set(CAMPUSES)
    for campus, share in CAMPUSES.items():
        assert abs(sent[campus] / sent["MAIN"] - share / 85) < 0.005, campus


def test_one_person_is_found_by_id_card_with_the_records_of_three_campuses(consortium: Consortium) -> None:
    with consortium.client("doctor.main") as client:
        bundle = client.get("/fhir/Patient", params={"identifier": f"{ID_CARD}|{DEMO.id_card}"}).json()
        assert bundle["total"] == 1
        patient = bundle["entry"][0]["resource"]
        numbers = {i["value"] for i in patient["identifier"]}
        assert numbers >= set(DEMO.numbers.values())
        for kind in ("Encounter", "Observation"):
            found = client.get(f"/fhir/{kind}", params={"patient": patient["id"], "_count": "200"}).json()
            domains = {entry["resource"]["meta"]["source"] for entry in found["entry"]}
            assert len(domains) == 3, kind


def test_all_hazardous_ideographs_come_out_of_fhir(consortium: Consortium) -> None:
    wanted, seen = set(hazardous_ideographs()), set[str]()
    assert len(wanted) == 464
    with consortium.client("doctor.main") as client:
        for kind in ("Patient", "DiagnosticReport"):
            url: str | None = f"/fhir/{kind}?_count=200"
            while url and not wanted <= seen:
                bundle = client.get(url).json()
                seen |= set(json.dumps(bundle, ensure_ascii=False)) & wanted
                url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)
    assert not wanted - seen


def test_the_same_day_again_has_no_second_effect(consortium: Consortium) -> None:
    url = str(consortium.environment_settings()["database_url"])

    def effects() -> tuple[object, ...]:
        with psycopg.connect(url) as db:
            return tuple(db.execute(f"SELECT count(*) FROM {name}".encode()).fetchone() for name in EFFECTS)  # noqa: S608 - the names are above

    before, first = effects(), sample(consortium)
    (consortium.home / "sample.json").rename(consortium.home / "sample.first.json")
    consortium.must("up")
    assert effects() == before
    again = sample(consortium)
    for campus, told in first.items():
        assert {k: again[campus][k] for k in ("sent", "acknowledged", "refused", "recorded", "held")} == {
            k: told[k] for k in ("sent", "acknowledged", "refused", "recorded", "held")
        }, campus


def test_a_held_message_says_why_and_shows_its_journey(consortium: Consortium) -> None:
    listed = consortium.json("messages", "list", "--state", "held", "--facility", "MAIN")["messages"]
    assert listed
    assert all(entry["reason"] for entry in listed)
    shown = consortium.json("messages", "show", str(listed[0]["id"]))
    assert shown["holds"]
    with consortium.client("ops") as client:
        assert client.get(f"/api/v1/messages/{listed[0]['id']}").status_code == 200


def test_refusals_are_in_the_list_with_their_reason(consortium: Consortium) -> None:
    listed = consortium.json("messages", "list", "--state", "refused")["messages"]
    assert listed
    assert all(entry["reason"] for entry in listed)


def test_nobody_reads_a_patient_without_a_token(consortium: Consortium) -> None:
    import httpx

    answer = httpx.get(consortium.endpoint("fhir") + "/Patient", trust_env=False)
    assert answer.status_code == 401
    assert answer.json()["resourceType"] == "OperationOutcome"
