"""More kinds of records over FHIR, and the ways to read them: order, inclusion, versions, everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from fhir.resources.R4B import get_fhir_model_class

from api.fhir.bundle import Found
from api.fhir.everything import TYPES
from consortium.records.model import (
    Allergy,
    Change,
    Coded,
    Encounter,
    Kind,
    Order,
    Patient,
    Practitioner,
    Procedure,
    Report,
    Result,
)
from tests.integration.api.conftest import As
from tests.integration.api.records import DAY, lab, somebody_else, write

Json = dict[str, Any]
PATIENT = Patient(number="HP-7", name="赵珅")
SURGERY = Procedure(
    number="S1",
    kind="surgery",
    item=Coded(code="51.2300", name="腹腔镜下胆囊切除术"),
    site=Coded(code="胆囊", name="胆囊"),
    start=DAY,
    end=DAY + timedelta(hours=1),
    doctor=Practitioner(number="D1", name="李建华"),
    level="三级",
    incision="Ⅱ/甲",
    note="术程顺利。",
)
ANAESTHESIA = Procedure(
    number="S1-A", kind="anaesthesia", item=Coded(code="1", name="全身麻醉"), part_of="S1", start=DAY
)
PENICILLIN = Allergy(
    number="HP-7-QMS",
    item=Coded(code="QMS", name="青霉素"),
    category="medication",
    criticality="high",
    reaction="皮疹",
)
AMOXICILLIN = Order(
    number="R1-1",
    kind="medication",
    item=Coded(code="YP0203", name="阿莫西林胶囊"),
    prescription="R1",
    dose=Decimal("0.5"),
    dose_unit="g",
    frequency=Coded(code="tid", name="一日三次"),
    days=7,
    ordered_at=DAY,
)
CULTURE = Report(
    number="MB1",
    kind="lab",
    item=Coded(code="6463-4", name="细菌培养", system="http://loinc.org"),
    specimen=Coded(code="尿", name="中段尿"),
    issued_at=DAY,
    results=(
        Result(item=Coded(code="细菌"), sub_id="1", value="大肠埃希菌"),
        Result(item=Coded(code="左氧氟沙星"), sub_id="1", value="R", flag="abnormal"),
    ),
)
NURSING = Report(
    number="N1",
    kind="nursing",
    item=Coded(code="体温单"),
    issued_at=DAY,
    results=(Result(item=Coded(code="体温"), value="36.8", number=Decimal("36.8"), unit="℃"),),
)


@pytest.fixture
def zhao(engine: sa.Engine) -> UUID:
    """A person with a visit and one record of each of the newer kinds."""
    visit = Encounter(
        number="V7",
        class_="inpatient",
        start=DAY,
        diagnoses=(Coded(code="K80.2", name="胆囊结石", system="http://hl7.org/fhir/sid/icd-10"),),
    )
    with_visit: dict[str, Any] = {"patient": PATIENT, "encounter": Encounter(number="V7")}
    changes = [
        Change(kind=Kind.ENCOUNTER, patient=PATIENT, encounter=visit),
        Change(kind=Kind.PROCEDURE, procedures=(SURGERY, ANAESTHESIA), **with_visit),
        Change(kind=Kind.ALLERGY, patient=PATIENT, allergies=(PENICILLIN,)),
        Change(kind=Kind.ORDER, orders=(AMOXICILLIN,), **with_visit),
        Change(kind=Kind.REPORT, reports=(CULTURE, NURSING), **with_visit),
    ]
    return [write(engine, "HP", place, change) for place, change in enumerate(changes, 1)][-1]


class Reading:
    def __init__(self, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        self.client, self.headers = client, headers

    async def get(self, path: str, status: int = 200) -> Json:
        answer = await self.client.get(f"/fhir/{path}", headers=self.headers)
        assert answer.status_code == status, answer.text
        body: Json = answer.json()
        get_fhir_model_class(body["resourceType"]).model_validate(body)
        return body

    async def found(self, path: str) -> list[Json]:
        return [entry["resource"] for entry in (await self.get(path)).get("entry", [])]

    async def types(self, path: str, mode: str) -> list[str]:
        entries = (await self.get(path)).get("entry", [])
        return [one["resource"]["resourceType"] for one in entries if one["search"]["mode"] == mode]


@pytest.fixture
def reading(client: httpx.AsyncClient, as_: As) -> Reading:
    return Reading(client, as_("doctor.huangpu"))


async def test_an_operation_with_its_anaesthesia(reading: Reading, zhao: UUID) -> None:
    [surgery] = await reading.found(f"Procedure?patient={zhao}&category=387713003")
    assert surgery["status"] == "completed"
    assert surgery["code"]["coding"][0]["code"] == "51.2300"
    assert surgery["performer"][0]["actor"]["display"] == "李建华"
    said = {one["url"].rpartition(":")[2]: one for one in surgery["extension"]}
    assert said["procedure-level"]["valueString"] == "三级"
    [anaesthesia] = await reading.found(f"Procedure?patient={zhao}&code=1")
    whole = anaesthesia["extension"][0]["valueIdentifier"]
    assert whole["value"] == surgery["identifier"][0]["value"] == "S1"


async def test_allergies_diagnoses_and_medicines(reading: Reading, zhao: UUID) -> None:
    [allergy] = await reading.found(f"AllergyIntolerance?patient={zhao}&clinical-status=active")
    assert (allergy["code"]["text"], allergy["criticality"]) == ("青霉素", "high")
    [condition] = await reading.found(f"Condition?patient={zhao}&code=K80.2")
    assert condition["encounter"]["reference"].startswith("Encounter/")
    [medicine] = await reading.found(f"MedicationRequest?patient={zhao}&authoredon=2026-11-20")
    assert medicine["dosageInstruction"][0]["timing"]["code"]["text"] == "一日三次"
    assert await reading.found(f"ServiceRequest?patient={zhao}") == []
    await reading.get(f"ServiceRequest/{medicine['id']}", 404)


async def test_microbiology_keeps_specimen_and_what_belongs_together(reading: Reading, zhao: UUID) -> None:
    [report] = await reading.found(f"DiagnosticReport?patient={zhao}&category=LAB")
    assert report["contained"][0]["type"]["text"] == "中段尿"
    results = await reading.found(f"Observation?patient={zhao}&category=laboratory")
    assert {one["extension"][0]["valueString"] for one in results} == {"1"}


async def test_nursing_is_found_by_standard_and_by_own_category(reading: Reading, zhao: UUID) -> None:
    for category in ("NRS", "nursing"):
        [report] = await reading.found(f"DiagnosticReport?patient={zhao}&category={category}")
        assert report["code"]["coding"][0]["code"] == "体温单"
    for category in ("exam", "nursing"):
        [result] = await reading.found(f"Observation?patient={zhao}&category={category}")
        assert result["valueQuantity"]["value"] == 36.8


async def test_what_is_referred_to_comes_along(reading: Reading, zhao: UUID) -> None:
    path = f"DiagnosticReport?patient={zhao}&category=LAB&_include=DiagnosticReport:"
    assert await reading.types(f"{path}patient", "include") == ["Patient"]
    assert await reading.types(f"{path}result", "include") == ["Observation", "Observation"]
    everything = await reading.types(f"DiagnosticReport?patient={zhao}&category=LAB&_include=*", "include")
    assert sorted(everything) == ["Encounter", "Observation", "Observation", "Patient"]


async def test_what_refers_to_it_comes_along(reading: Reading, zhao: UUID, engine: sa.Engine) -> None:
    other = Encounter(number="V8", class_="outpatient", start=DAY)
    write(engine, "HP", 30, Change(kind=Kind.ENCOUNTER, patient=PATIENT, encounter=other))
    path = f"Encounter?identifier=V7&patient={zhao}"
    both = f"{path}&_revinclude=Procedure:encounter&_revinclude=Condition:encounter"
    assert sorted(await reading.types(both, "include")) == ["Condition", "Procedure", "Procedure"]
    none = f"Encounter?identifier=V8&patient={zhao}&_revinclude=Procedure:encounter"
    assert await reading.types(none, "include") == []
    whole = f"Patient?_id={zhao}&_revinclude=AllergyIntolerance:patient"
    assert await reading.types(whole, "include") == ["AllergyIntolerance"]


@pytest.mark.parametrize("asked", ["_include=Observation:specimen", "_revinclude=Patient:link", "_include=x"])
async def test_what_cannot_come_along_is_refused_with_what_can(reading: Reading, asked: str) -> None:
    outcome = await reading.get(f"Observation?identifier=MB1&{asked}", 400)
    assert "served are" in str(outcome)


async def test_too_much_is_said_and_never_left_out_in_silence(
    reading: Reading, zhao: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.fhir.including.MOST", 1)
    bundle = await reading.get(f"Encounter?patient={zhao}&_revinclude=Procedure:encounter")
    last = bundle["entry"][-1]
    assert (last["search"]["mode"], last["resource"]["resourceType"]) == ("outcome", "OperationOutcome")


async def test_the_order_asked_for_holds_over_pages(reading: Reading, zhao: UUID, engine: sa.Engine) -> None:
    for place in range(5):
        report = lab(f"L{place}", at=DAY + timedelta(days=place))
        write(engine, "HP", 40 + place, Change(kind=Kind.REPORT, patient=PATIENT, reports=(report,)))
    for sort, reverse in (("date", False), ("-date", True), ("_lastUpdated", False)):
        path: str | None = f"DiagnosticReport?patient={zhao}&_sort={sort}&_count=2"
        seen: list[str] = []
        while path:
            page = await reading.get(path)
            field = (lambda one: one["meta"]["lastUpdated"]) if "last" in sort else _issued
            seen += [f"{field(one['resource'])} {one['resource']['id']}" for one in page["entry"]]
            path = next(
                (x["url"].partition("/fhir/")[2] for x in page["link"] if x["relation"] == "next"), None
            )
        times = [one.split(" ")[0] for one in seen]
        assert len(set(seen)) == 7
        assert times == sorted(times, reverse=reverse)


def _issued(resource: Json) -> str:
    return str(resource["issued"])


async def test_every_version_can_be_read_again(reading: Reading, zhao: UUID, engine: sa.Engine) -> None:
    corrected = SURGERY.model_copy(update={"note": "术程顺利，出血 50 ml。"})
    change = Change(kind=Kind.PROCEDURE, patient=PATIENT, procedures=(corrected,))
    write(engine, "HP", 50, change)
    [surgery] = await reading.found(f"Procedure?patient={zhao}&identifier=S1")
    bundle = await reading.get(f"Procedure/{surgery['id']}/_history")
    notes = [one["resource"]["note"][0]["text"] for one in bundle["entry"]]
    assert notes == ["术程顺利，出血 50 ml。", "术程顺利。"]
    assert [one["response"]["status"] for one in bundle["entry"]] == ["200", "201"]
    first = await reading.get(f"Procedure/{surgery['id']}/_history/1")
    assert first["note"][0]["text"] == "术程顺利。"
    assert first["performedPeriod"] == surgery["performedPeriod"]
    await reading.get(f"Procedure/{surgery['id']}/_history/9", 404)


async def test_everything_of_a_person_comes_once_in_pages(
    reading: Reading, zhao: UUID, engine: sa.Engine
) -> None:
    somebody_else(engine)
    path: str | None = f"Patient/{zhao}/$everything?_count=3"
    seen: list[tuple[str, str]] = []
    while path:
        page = await reading.get(path)
        entries = page.get("entry", [])  # the last page may be empty
        assert len(entries) <= 3
        seen += [(one["resource"]["resourceType"], one["resource"]["id"]) for one in entries]
        path = next((x["url"].partition("/fhir/")[2] for x in page["link"] if x["relation"] == "next"), None)
    assert len(seen) == len(set(seen)) == 12
    assert [kind for kind, _ in seen] == sorted([kind for kind, _ in seen], key=TYPES.index)
    whole = await reading.found(f"Patient/{zhao}/$everything")
    assert [(one["resourceType"], one["id"]) for one in whole] == seen


async def test_everything_can_be_narrowed(reading: Reading, zhao: UUID) -> None:
    some = await reading.found(f"Patient/{zhao}/$everything?_type=Procedure,Condition")
    assert [one["resourceType"] for one in some] == ["Procedure", "Procedure", "Condition"]
    later = f"Patient/{zhao}/$everything?start=2030-01-01&_type=Procedure"
    assert await reading.found(later) == []
    assert Found([]).after is None
    await reading.get(f"Patient/{zhao}/$everything?_type=Foo", 400)
    await reading.get(f"Patient/{UUID(int=1)}/$everything", 404)


async def test_changes_until_a_time_are_found(reading: Reading, zhao: UUID) -> None:
    received = DAY.astimezone(UTC)
    assert isinstance(received, datetime)
    before = f"Procedure?patient={zhao}&_lastUpdated=lt2026-11-20T00:00:00Z"
    assert await reading.found(before) == []
    assert len(await reading.found(f"Procedure?patient={zhao}&_lastUpdated=le2026-11-21")) == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"resourceType": "Patient", "gender": "male"}, "informational"),
        ({"resourceType": "Patient", "gender": "男"}, "code-invalid"),
        ({"resourceType": "Patient", "sex": "male"}, "structure"),
        ({"resourceType": "Nothing"}, "not-supported"),
        ({"resourceType": "Parameters", "parameter": []}, "required"),
        (
            {
                "resourceType": "Parameters",
                "parameter": [{"name": "resource", "resource": {"resourceType": "Patient"}}],
            },
            "informational",
        ),
    ],
)
async def test_a_resource_is_validated(reading: Reading, body: Json, code: str) -> None:
    answer = await reading.client.post("/fhir/$validate", headers=reading.headers, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["issue"][0]["code"] == code


async def test_the_type_in_the_address_counts(reading: Reading) -> None:
    answer = await reading.client.post(
        "/fhir/Encounter/$validate", headers=reading.headers, json={"resourceType": "Patient"}
    )
    assert answer.json()["issue"][0]["code"] == "structure"


async def test_who_may_ask_for_people_alone_gets_no_records_along(
    client: httpx.AsyncClient, as_: As, zhao: UUID
) -> None:
    program = Reading(client, as_("system.huangpu"))
    assert await program.types(f"Patient?_id={zhao}", "match") == ["Patient"]
    await program.get(f"Patient?_id={zhao}&_revinclude=Condition:patient", 403)
