"""PIXm: identifiers across domains (ITI-83), the identity feed (ITI-104), by the lines of the checklist."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from fhir.resources.R4B import get_fhir_model_class

from api.encoding import encode
from consortium.access import audit
from tests.fhir_requests import HP, MAIN, patient
from tests.integration.api.conftest import As
from tests.integration.api.records import ID_CARD, NUMBERS, person_of_three_campuses

Json = dict[str, Any]
HY = "urn:oid:1.2.156.10011.99.3"
CONSORTIUM = "urn:oid:1.2.156.10011.99.0"
CARDS = "urn:oid:2.16.156.10011.1.3"
HERE = "http://yilian.test/fhir"


class Program:
    """A campus's program that feeds its patients and asks for their identifiers."""

    def __init__(self, client: httpx.AsyncClient, as_: As) -> None:
        self.client, self.as_ = client, as_
        self.headers = as_("system.huangpu")

    async def pix(self, source: str, *targets: str, user: str | None = None) -> httpx.Response:
        query = {"sourceIdentifier": source, "targetSystem": targets}
        headers = self.as_(user) if user else self.headers
        return await self.client.get("/fhir/Patient/$ihe-pix", params=query, headers=headers)

    async def post(self, resource: Any) -> httpx.Response:
        headers = self.headers | {"Content-Type": "application/fhir+json"}
        return await self.client.post("/fhir/Patient/$ihe-pix", content=encode(resource), headers=headers)

    async def feed(self, number: str, **more: Any) -> httpx.Response:
        headers = self.headers | {"Content-Type": "application/fhir+json"}
        address, body = f"/fhir/Patient?identifier={HP}|{number}", encode(patient(number, **more))
        return await self.client.put(address, content=body, headers=headers)

    async def remove(self, number: str) -> httpx.Response:
        address = f"/fhir/Patient?identifier={HP}|{number}"
        return await self.client.delete(address, headers=self.headers)


@pytest.fixture
def program(client: httpx.AsyncClient, as_: As) -> Program:
    return Program(client, as_)


@pytest.fixture
def wang(engine: sa.Engine) -> UUID:
    """Known at three campuses."""
    return person_of_three_campuses(engine)


def targets(answer: httpx.Response) -> set[tuple[str, str]]:
    assert answer.status_code == 200, answer.text
    get_fhir_model_class("Parameters").model_validate(answer.json())
    found = [one["valueIdentifier"] for one in answer.json().get("parameter", []) if "valueIdentifier" in one]
    return {(one["system"], one["value"]) for one in found}


def references(answer: httpx.Response) -> list[str]:
    found = [one for one in answer.json().get("parameter", []) if one["name"] == "targetId"]
    return [one["valueReference"]["reference"] for one in found]


def issue(answer: httpx.Response) -> tuple[int, str, str]:
    get_fhir_model_class("OperationOutcome").model_validate(answer.json())
    [found] = answer.json()["issue"]
    return answer.status_code, found["code"], found["diagnostics"]


async def test_16_iti_83_get_gives_every_identifier_but_the_one_asked_with(
    program: Program, wang: UUID
) -> None:
    answer = await program.pix(f"{HP}|{NUMBERS['HP']}")
    assert targets(answer) == {
        (MAIN, "M1"), (HY, "Y001"), (CONSORTIUM, str(wang)), (CARDS, ID_CARD)
    }  # fmt: skip
    assert references(answer) == [f"{HERE}/Patient/{wang}"]


async def test_16_target_system_repeats_and_selects(program: Program, wang: UUID) -> None:
    one = await program.pix(f"{HP}|{NUMBERS['HP']}", MAIN)
    two = await program.pix(f"{HP}|{NUMBERS['HP']}", MAIN, CONSORTIUM)
    here = await program.pix(f"{HP}|{NUMBERS['HP']}", HERE)
    assert (targets(one), references(one)) == ({(MAIN, "M1")}, [])
    assert targets(two) == {(MAIN, "M1"), (CONSORTIUM, str(wang))}
    assert (targets(here), references(here)) == (set(), [f"{HERE}/Patient/{wang}"])


@pytest.mark.parametrize("kind", ["valueString", "valueUri"])
async def test_16_iti_83_post_answers_as_get(program: Program, wang: UUID, kind: str) -> None:
    parameters = [
        {"name": "sourceIdentifier", "valueString": f"{CARDS}|{ID_CARD.lower()}"},
        {"name": "targetSystem", kind: MAIN},
        {"name": "targetSystem", kind: HY},
    ]
    answer = await program.post({"resourceType": "Parameters", "parameter": parameters})
    assert targets(answer) == {(MAIN, "M1"), (HY, "Y001")}


async def test_16_a_patient_is_known_by_the_platforms_own_ids_too(program: Program, wang: UUID) -> None:
    by_id = await program.pix(f"{HERE}|Patient/{wang}", HP)
    by_domain = await program.pix(f"{CONSORTIUM}|{wang}", HP)
    assert targets(by_id) == targets(by_domain) == {(HP, NUMBERS["HP"])}


async def test_7_mirrored_known_with_no_counterpart_is_an_empty_answer(program: Program) -> None:
    await program.feed("HP-9")
    assert targets(await program.pix(f"{HP}|HP-9", MAIN)) == set()


async def test_17_unknown_identifier_is_404_not_found(program: Program, wang: UUID) -> None:
    answer = await program.pix(f"{HP}|NOBODY")
    assert issue(answer) == (404, "not-found", "sourceIdentifier Patient Identifier not found")


async def test_17_unknown_source_domain_is_400_code_invalid(program: Program, wang: UUID) -> None:
    answer = await program.pix("urn:oid:1.2.3|HP-1")
    assert issue(answer) == (400, "code-invalid", "sourceIdentifier Assigning Authority not found")
    other = await program.pix(f"{HP}.1|V-HP")  # a visit's number is no patient's
    assert issue(other)[:2] == (400, "code-invalid")


async def test_17_unknown_target_domain_is_403_code_invalid(program: Program, wang: UUID) -> None:
    answer = await program.pix(f"{HP}|{NUMBERS['HP']}", MAIN, "urn:oid:1.2.3")
    assert issue(answer) == (403, "code-invalid", "targetSystem not found")


@pytest.mark.parametrize("query", ["", "sourceIdentifier=HP-1", "sourceIdentifier=a|b&sourceIdentifier=a|c"])
async def test_a_question_without_one_whole_identifier_is_400(program: Program, query: str) -> None:
    answer = await program.client.get(f"/fhir/Patient/$ihe-pix?{query}", headers=program.headers)
    assert answer.status_code == 400


async def test_a_card_that_two_people_show_says_of_neither(
    program: Program, engine: sa.Engine, wang: UUID
) -> None:
    card = {"system": CARDS, "value": ID_CARD}
    borrowed = [{"system": HP, "value": "HP-8"}, card]
    written = await program.feed(
        "HP-8", identifier=borrowed, name=[{"text": "赵六"}], gender="male", birthDate="1970-01-01"
    )
    assert written.status_code == 201, written.text
    assert (await program.pix(f"{CARDS}|{ID_CARD}")).status_code == 404


async def test_41_iti_83_is_audited_answered_or_not_and_needs_a_permission(
    program: Program, engine: sa.Engine, wang: UUID
) -> None:
    await program.pix(f"{HP}|{NUMBERS['HP']}")
    await program.pix(f"{HP}|NOBODY")
    refused = await program.pix(f"{HP}|{NUMBERS['HP']}", user="manager.huangpu")
    with engine.connect() as connection:
        no, failed, found = audit.entries(connection, limit=3)
    assert (found.entry.action, found.entry.persons, found.entry.resource) == (
        "patient.query", [wang], "GET /fhir/Patient/$ihe-pix"
    )  # fmt: skip
    assert (failed.entry.outcome, failed.entry.reason.partition(":")[0]) == ("refused", "not answered")
    assert (no.entry.outcome, refused.status_code) == ("refused", 403)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE access.account SET permissions = '{}'"))
    assert (await program.pix(f"{HP}|{NUMBERS['HP']}")).status_code == 403


async def test_18_iti_104_adds_and_revises_by_identifier(program: Program, engine: sa.Engine) -> None:
    first, again = await program.feed("HP-9"), await program.feed("HP-9")
    revised = await program.feed("HP-9", name=[{"family": "欧阳", "given": ["明"]}])
    assert [first.status_code, again.status_code, revised.status_code] == [201, 200, 200]
    with engine.connect() as connection:
        names = connection.execute(sa.text("SELECT name FROM identity.source_patient")).scalars().all()
    assert names == ["欧阳明"]


async def test_18_the_identifier_in_the_address_must_be_the_bodys(program: Program) -> None:
    address = f"/fhir/Patient?identifier={HP}|HP-1"
    headers = program.headers | {"Content-Type": "application/fhir+json"}
    answer = await program.client.put(address, content=encode(patient("HP-2")), headers=headers)
    assert answer.status_code == 422


async def test_18_resolve_duplicate_merges_the_replaced_number(
    program: Program, engine: sa.Engine, wang: UUID
) -> None:
    await program.feed("HP-DUP", name=[{"text": "王坤"}])
    assert targets(await program.pix(f"{HP}|HP-DUP", MAIN)) == set()
    link = [{"other": {"identifier": {"system": HP, "value": NUMBERS["HP"]}}, "type": "replaced-by"}]
    done = await program.feed("HP-DUP", name=[{"text": "王坤"}], active=False, link=link)
    assert done.status_code == 200, done.text
    assert (await program.pix(f"{HP}|HP-DUP")).status_code == 404  # 3.83.4.2.2.5: a deprecated one
    assert (HP, "HP-DUP") not in targets(await program.pix(f"{MAIN}|M1"))
    with engine.connect() as connection:
        row = connection.execute(
            sa.text(
                "SELECT l.person_id = m.person_id, w.name FROM identity.source_patient s"
                " JOIN identity.link l ON l.source_patient_id = s.id"
                " JOIN identity.source_patient w ON w.id = s.merged_into"
                " JOIN identity.link m ON m.source_patient_id = w.id WHERE s.number = 'HP-DUP'"
            )
        ).one()
    assert tuple(row) == (True, "王珅")  # what was said of the duplicate is not said of the survivor


async def test_18_a_duplicate_that_is_still_active_is_refused(program: Program, wang: UUID) -> None:
    link = [{"other": {"identifier": {"system": HP, "value": NUMBERS["HP"]}}, "type": "replaced-by"}]
    answer = await program.feed("HP-DUP", link=link)
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, ["Patient.active"])


async def test_18_remove_takes_the_number_out_of_use_until_its_campus_speaks_of_it_again(
    program: Program, wang: UUID
) -> None:
    identifiers = [{"system": HP, "value": "HP-9"}, {"system": CARDS, "value": ID_CARD}]
    same: Json = {"identifier": identifiers, "name": [{"text": "王珅"}], "birthDate": "1949-12-31"}
    await program.feed("HP-9", **same, gender="male")
    assert (HP, "HP-9") in targets(await program.pix(f"{MAIN}|M1"))
    removed = await program.remove("HP-9")
    assert (removed.status_code, removed.content) == (204, b"")
    assert (await program.pix(f"{HP}|HP-9")).status_code == 404
    assert (HP, "HP-9") not in targets(await program.pix(f"{MAIN}|M1"))
    assert (await program.remove("NEVER-SEEN")).status_code == 204
    await program.feed("HP-9", **same, gender="male")
    assert (MAIN, "M1") in targets(await program.pix(f"{HP}|HP-9"))


async def test_18_nobody_feeds_another_campus(program: Program, client: httpx.AsyncClient) -> None:
    headers = program.headers | {"Content-Type": "application/fhir+json"}
    address, body = f"/fhir/Patient?identifier={MAIN}|M9", encode(patient("M9", MAIN))
    put = await client.put(address, content=body, headers=headers)
    delete = await client.delete(address, headers=headers)
    assert [put.status_code, delete.status_code] == [403, 403]


async def test_41_the_feed_is_audited(program: Program, engine: sa.Engine) -> None:
    await program.feed("HP-9")
    await program.remove("HP-9")
    with engine.connect() as connection:
        removed, added = audit.entries(connection, limit=2)
    assert [added.entry.resource, removed.entry.resource] == ["PUT /fhir/Patient", "DELETE /fhir/Patient"]
    assert added.entry.persons == removed.entry.persons != []
    headers = program.headers | {"Content-Type": "application/fhir+json"}
    address, body = f"/fhir/Patient?identifier={MAIN}|M9", encode(patient("M9", MAIN))
    await program.client.put(address, content=body, headers=headers)
    with engine.connect() as connection:
        [foreign] = audit.entries(connection, limit=1)
    assert (foreign.entry.outcome, foreign.entry.resource) == ("refused", "PUT /fhir/Patient")


async def test_the_capability_statement_says_so(client: httpx.AsyncClient, as_: As) -> None:
    answer = await client.get("/fhir/metadata", headers=as_("system.huangpu"))
    [found] = [one for one in answer.json()["rest"][0]["resource"] if one["type"] == "Patient"]
    assert found["conditionalUpdate"]
    assert found["conditionalDelete"] == "single"
    assert {"ihe-pix", "match"} <= {one["name"] for one in found["operation"]}
