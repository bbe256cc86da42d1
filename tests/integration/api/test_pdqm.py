"""PDQm: patients by what is known of them (ITI-78) and by a description (ITI-119), checklist line 19."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from fhir.resources.R4B import get_fhir_model_class

from api.encoding import encode
from consortium.access import audit
from consortium.records.model import Change, Kind, Patient
from tests.integration.api.conftest import As
from tests.integration.api.records import ID_CARD, person_of_three_campuses, write

Json = dict[str, Any]
MAIN, HP, HY = (f"urn:oid:1.2.156.10011.99.{arc}" for arc in (1, 2, 3))
CARDS = "urn:oid:2.16.156.10011.1.3"
GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"
PEOPLE = {
    "HP-11": Patient(
        number="HP-11", name="欧阳修", sex="male", birth_date=date(1980, 1, 2), phone="13911112222"
    ),
    "HP-12": Patient(number="HP-12", name="欧明", sex="female", birth_date=date(1985, 5, 6)),
    "HP-13": Patient(number="HP-13", name="买买提·吐尔逊", sex="male", birth_date=date(1992, 7, 8)),
    "HP-14": Patient(number="HP-14", name="Smith John", sex="male", birth_date=date(1975, 3, 4)),
    "HP-17": Patient(number="HP-17", name="爱新觉罗玄烨", sex="male", birth_date=date(1954, 5, 4)),
    "HP-18": Patient(number="HP-18", name="諸葛亮", sex="male", birth_date=date(1981, 7, 23)),
}


class Asker:
    """A program that searches for patients."""

    def __init__(self, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        self.client, self.headers = client, headers

    async def search(self, **query: Any) -> Json:
        params = {name.replace("_exact", ":exact").replace("address_", "address-"): value
                  for name, value in query.items()}  # fmt: skip
        answer = await self.client.get("/fhir/Patient", params=params, headers=self.headers)
        assert answer.status_code == 200, answer.text
        get_fhir_model_class("Bundle").model_validate(answer.json())
        found: Json = answer.json()
        return found

    async def names(self, **query: Any) -> set[str]:
        found = await self.search(**query)
        return {one["resource"]["name"][0]["text"] for one in found.get("entry", [])}

    async def match(self, resource: Json, **parameters: Any) -> Json:
        body = resource
        if parameters:
            given = [{"name": name, **value} for name, value in parameters.items()]
            body = {
                "resourceType": "Parameters",
                "parameter": [{"name": "resource", "resource": resource}, *given],
            }
        headers = self.headers | {"Content-Type": "application/fhir+json"}
        answer = await self.client.post("/fhir/Patient/$match", content=encode(body), headers=headers)
        assert answer.status_code == 200, answer.text
        get_fhir_model_class("Bundle").model_validate(answer.json())
        found: Json = answer.json()
        return found


@pytest.fixture
def wang(engine: sa.Engine) -> UUID:
    """王珅, and others."""
    for place, known in enumerate(PEOPLE.values()):
        write(engine, "HP", 500 + place, Change(kind=Kind.PATIENT, patient=known))
    return person_of_three_campuses(engine)


@pytest.fixture
def asker(client: httpx.AsyncClient, as_: As, wang: UUID) -> Asker:
    return Asker(client, as_("system.huangpu"))


def graded(bundle: Json) -> list[tuple[str, str]]:
    """Return name and grade of every match, in order."""
    return [
        (one["resource"]["name"][0]["text"], one["search"]["extension"][0]["valueCode"])
        for one in bundle.get("entry", [])
    ]


FOUND: list[tuple[Json, set[str]]] = [
    ({"family": "欧"}, {"欧阳修", "欧明"}),
    ({"family_exact": "欧"}, {"欧明"}),
    ({"family": "欧阳"}, {"欧阳修"}),
    ({"given": "修"}, {"欧阳修"}),
    ({"family": "欧阳", "given": "修", "gender": "male"}, {"欧阳修"}),
    ({"given": "阳"}, set()),
    ({"family": "爱新觉罗", "given": "玄"}, {"爱新觉罗玄烨"}),
    ({"given": "烨"}, set()),
    ({"family_exact": "爱"}, set()),
    ({"family": "諸葛", "given": "亮"}, {"諸葛亮"}),
    ({"family": "吐尔逊", "given": "买买提"}, {"买买提·吐尔逊"}),
    ({"family": "smith", "given": "john"}, {"Smith John"}),
    ({"name": "王"}, {"王珅"}),
    ({"name_exact": "欧阳"}, set()),
    ({"birthdate": "1985-05-06", "family": "欧"}, {"欧明"}),
    ({"telecom": "phone|13911112222"}, {"欧阳修"}),
    ({"address": "越秀区"}, {"王珅"}),
    ({"address_city": "广州"}, {"王珅"}),
    ({"address_exact": "广州市越秀区"}, set()),
    ({"active": "true", "family": "欧阳"}, {"欧阳修"}),
    ({"active": "false"}, set()),
    ({"identifier": f"{CARDS}|{ID_CARD}"}, {"王珅"}),
    ({"identifier": [f"{HP}|HP-1", f"{MAIN}|M1"]}, {"王珅"}),
    ({"identifier": [f"{HP}|HP-11", f"{MAIN}|M1"]}, set()),
    ({"identifier": f"{HP}|HP-11,{MAIN}|M1"}, {"欧阳修", "王珅"}),
]


async def test_19_iti_78_finds_by_every_parameter(asker: Asker) -> None:
    found = [(query, await asker.names(**query)) for query, _ in FOUND]
    assert found == FOUND


async def test_19_identifier_domains_limit_what_is_shown(asker: Asker) -> None:
    found = await asker.search(name="王", identifier=f"{MAIN}|,{HY}|")
    [entry] = found["entry"]
    assert {one["system"] for one in entry["resource"]["identifier"]} == {MAIN, HY}


async def test_19_an_unknown_identifier_domain_is_404(asker: Asker) -> None:
    answer = await asker.client.get(
        "/fhir/Patient", params={"name": "王", "identifier": "urn:oid:1.2.3|"}, headers=asker.headers
    )
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (404, "not-found")


async def test_19_iti_78_pages_and_counts(asker: Asker) -> None:
    first = await asker.search(_count="2", _total="accurate", identifier=f"{HP}|")
    seen, address = list(first["entry"]), {one["relation"]: one["url"] for one in first["link"]}
    assert (first["total"], len(seen)) == (7, 2)
    while "next" in address:
        page = (await asker.client.get(address["next"], headers=asker.headers)).json()
        seen += page["entry"]
        address = {one["relation"]: one["url"] for one in page["link"]}
    assert len({one["resource"]["id"] for one in seen}) == len(seen) == 7


async def test_19_iti_78_by_post(asker: Asker) -> None:
    answer = await asker.client.post("/fhir/Patient/_search", data={"family": "欧阳"}, headers=asker.headers)
    assert answer.json()["entry"][0]["resource"]["name"][0]["text"] == "欧阳修"


WANG: Json = {
    "resourceType": "Patient",
    "identifier": [{"system": CARDS, "value": ID_CARD}],
    "name": [{"family": "王", "given": ["珅"]}],
    "gender": "male",
    "birthDate": "1949-12-31",
}
OUYANG: Json = {
    "resourceType": "Patient",
    "name": [{"text": "欧阳修"}],
    "birthDate": "1980-01-02",
    "gender": "male",
}


async def test_19_iti_119_a_card_with_its_name_is_certain(asker: Asker, wang: UUID) -> None:
    found = await asker.match(WANG)
    assert graded(found) == [("王珅", "certain")]
    [entry] = found["entry"]
    assert (entry["search"]["score"], entry["fullUrl"]) == (1.0, f"http://yilian.test/fhir/Patient/{wang}")
    assert entry["search"]["extension"][0]["url"] == GRADE


PHONED: Json = OUYANG | {"telecom": [{"system": "phone", "value": "13911112222"}]}


def named(text: str, **more: Any) -> Json:
    """Describe 欧阳修 with his phone, by another name."""
    return PHONED | {"name": [{"text": text}]} | more


async def test_19_iti_119_without_a_card_it_is_probable_or_possible(asker: Asker) -> None:
    assert graded(await asker.match(PHONED)) == [("欧阳修", "probable")]
    assert graded(await asker.match(OUYANG)) == [("欧阳修", "possible")]
    assert graded(await asker.match(OUYANG | {"birthDate": "1999-01-02"})) == []
    assert graded(await asker.match(OUYANG | {"name": [{"text": "赵六"}]})) == []


@pytest.mark.parametrize(
    "asked",
    [
        named("欧阳秀"),
        named("歐陽脩"),
        named("Ouyang Xiu"),
        named("欧阳修", birthDate="1980-02-01"),
        named("欧阳修", birthDate="1980-01-03"),
    ],
    ids=["homophone", "traditional", "pinyin", "transposed", "mistyped"],
)
async def test_19_iti_119_finds_what_was_heard_or_typed_wrong(asker: Asker, asked: Json) -> None:
    found = await asker.match(asked)
    assert graded(found) == [("欧阳修", "probable")]
    assert 0.99 < found["entry"][0]["search"]["score"] < 1


async def test_19_iti_119_a_spouse_at_the_same_phone_is_not_the_patient(asker: Asker) -> None:
    assert graded(await asker.match(named("李晓兰", gender="female", birthDate="1982-03-04"))) == []


async def test_19_iti_119_a_newborn_without_a_name_is_possible_at_most(
    asker: Asker, engine: sa.Engine
) -> None:
    newborn = Patient(
        number="HP-16", name="欧阳修之子", sex="male", birth_date=date(2026, 11, 1), phone="13911112222"
    )
    write(engine, "HP", 600, Change(kind=Kind.PATIENT, patient=newborn))
    asked = named("欧阳修之子", birthDate="2026-11-01")
    assert graded(await asker.match(asked)) == [("欧阳修之子", "possible")]


async def test_19_iti_119_who_contradicts_one_number_of_a_person_is_possible_at_most(
    asker: Asker, engine: sa.Engine
) -> None:
    here = PEOPLE["HP-11"].model_copy(update={"address": "广州市越秀区中山二路1号"})
    there = here.model_copy(
        update={"number": "M9", "birth_date": date(1976, 5, 4), "id_card": "440105197605043275"}
    )
    first = write(engine, "HP", 600, Change(kind=Kind.PATIENT, patient=here))
    assert write(engine, "MAIN", 601, Change(kind=Kind.PATIENT, patient=there)) == first
    assert graded(await asker.match(PHONED)) == [("欧阳修", "probable")]
    card = {"identifier": [{"system": CARDS, "value": "440105198001023171"}]}
    assert graded(await asker.match(PHONED | card)) == [("欧阳修", "possible")]


async def test_19_iti_119_only_certain_matches(asker: Asker) -> None:
    only = {"valueBoolean": True}
    assert graded(await asker.match(PHONED, onlyCertainMatches=only)) == []
    assert graded(await asker.match(WANG, onlyCertainMatches=only)) == [("王珅", "certain")]


async def test_19_iti_119_count_keeps_the_surest(asker: Asker, engine: sa.Engine) -> None:
    namesake = Patient(number="HP-15", name="欧阳修", sex="male", birth_date=date(1980, 1, 2))
    write(engine, "HP", 600, Change(kind=Kind.PATIENT, patient=namesake))
    both = graded(await asker.match(PHONED))
    assert both == [("欧阳修", "probable"), ("欧阳修", "possible")]
    assert graded(await asker.match(PHONED, count={"valueInteger": 1})) == both[:1]


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Encounter"},
        {"resourceType": "Parameters", "parameter": []},
        {"resourceType": "Patient", "birthDate": "198"},
        {"resourceType": "Parameters", "parameter": [
            {"name": "resource", "resource": {"resourceType": "Patient"}},
            {"name": "count", "valueInteger": 0},
        ]},
    ],
)  # fmt: skip
async def test_19_iti_119_what_cannot_be_read_is_400(asker: Asker, body: Json) -> None:
    headers = asker.headers | {"Content-Type": "application/fhir+json"}
    answer = await asker.client.post("/fhir/Patient/$match", content=encode(body), headers=headers)
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")


async def test_41_iti_78_and_119_are_audited(asker: Asker, engine: sa.Engine, wang: UUID) -> None:
    await asker.search(name="王")
    await asker.match(WANG)
    with engine.connect() as connection:
        matched, searched = audit.entries(connection, limit=2)
    assert searched.entry.persons == matched.entry.persons == [wang]
    assert {searched.entry.action, matched.entry.action} == {"patient.query"}
    assert matched.entry.resource == "POST /fhir/Patient/$match"
    await asker.client.get("/fhir/Patient?family=王&identifier=urn:oid:1.2.3|", headers=asker.headers)
    headers = asker.headers | {"Content-Type": "application/fhir+json"}
    await asker.client.post("/fhir/Patient/$match", content=b"{}", headers=headers)
    with engine.connect() as connection:
        unmatched, unfound = audit.entries(connection, limit=2)
    assert {unmatched.entry.outcome, unfound.entry.outcome} == {"refused"}
    assert unmatched.entry.resource == "POST /fhir/Patient/$match"
    assert unfound.entry.resource == "GET /fhir/Patient"


async def test_a_vip_is_found_by_number_and_by_who_was_given_the_permission(
    client: httpx.AsyncClient, engine: sa.Engine, as_: As, asker: Asker
) -> None:
    star = Patient(number="HP-20", name="司徒明星", sex="female", birth_date=date(1990, 1, 1), vip=True)
    write(engine, "HP", 600, Change(kind=Kind.PATIENT, patient=star))
    doctor = Asker(client, as_("doctor.huangpu"))
    assert await doctor.names(name="司徒") == await asker.names(name="司徒") == set()
    found = await doctor.search(identifier=f"{HP}|HP-20")
    [resource] = [one["resource"] for one in found["entry"]]
    assert resource["name"][0]["text"] == "司徒明星"
    [importance] = resource["extension"]
    assert importance["valueCodeableConcept"]["coding"][0]["code"] == "VIP"
    described = {"resourceType": "Patient", "name": [{"text": "司徒明星"}], "birthDate": "1990-01-01"}
    assert (await doctor.match(described))["total"] == 0
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE access.account SET permissions = '{vip}' WHERE username = 'doctor.huangpu'")
        )
    permitted = Asker(client, as_("doctor.huangpu"))
    assert await permitted.names(name="司徒") == {"司徒明星"}
    assert await asker.names(name="司徒") == set()
