"""MHD at /fhir/mhd: line 40 of the conformance checklist."""

from __future__ import annotations

import base64
import copy
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from api.app import create_app
from bus.fhir.documents.terms import LIST_TYPES, MHD
from bus.fhir.reading.document import check
from bus.ihe.document_sets import Reference
from consortium.access import audit
from consortium.documents.model import PatientId
from consortium.documents.provide import sha1
from tests.integration.api.conftest import As, settings_for
from tests.integration.api.xds import OURS, patient, provided, retrieved
from tests.provide_bundles import TEXT, bundle, concept, document, uri
from tests.shared_documents import CONSORTIUM, entry, oid

Json = dict[str, Any]
PROVIDE = "/fhir/mhd"


@pytest.fixture
def app(seeded_url: str, tmp_path: Path) -> Iterator[FastAPI]:
    settings = settings_for(seeded_url).model_copy(update={"documents_store": str(tmp_path)})
    application = create_app(settings)
    yield application
    application.state.platform.engine.dispose()


@pytest.fixture
def somebody(engine: sa.Engine) -> PatientId:
    return patient(engine)


@pytest.fixture
def headers(as_: As) -> dict[str, str]:
    return as_("system.huangpu") | {"X-Purpose-Of-Use": "treatment", "Content-Type": "application/fhir+json"}


async def sent(client: httpx.AsyncClient, body: Json, headers: dict[str, str]) -> list[str]:
    """Send a bundle that is taken; return where each entry is now."""
    answer = await client.post(PROVIDE, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["type"] == "transaction-response"
    return [one["response"].get("location", "") for one in answer.json()["entry"]]


def counted(engine: sa.Engine) -> tuple[int, int]:
    both = "SELECT (SELECT count(*) FROM documents.entry), (SELECT count(*) FROM documents.stored)"
    with engine.connect() as connection:
        entries, stored = connection.execute(sa.text(both)).one()
    return entries, stored


async def test_line_40_a_bundle_is_registered_found_and_retrieved(
    client: httpx.AsyncClient, somebody: PatientId, headers: dict[str, str]
) -> None:
    body = bundle(somebody, document(somebody, 1), document(somebody, 2))
    places = await sent(client, body, headers)
    assert [place.rpartition("/")[0].rpartition("/")[2] for place in places] == [
        "List", "DocumentReference", "Binary", "DocumentReference", "Binary",
    ]  # fmt: skip
    found = (
        await client.get(f"{PROVIDE}/DocumentReference?patient={somebody.number}", headers=headers)
    ).json()
    assert found["total"] == 2
    shown = next(one["resource"] for one in found["entry"] if one["fullUrl"] == places[1])
    assert check(shown, "$this") == []
    attachment = shown["content"][0]["attachment"]
    assert attachment["title"] == "出院小结：欧阳珅"
    assert attachment["url"] == places[2]
    assert attachment["creation"] == "2026-11-20T17:30:00+08:00"
    assert base64.b64decode(attachment["hash"]) == bytes.fromhex(sha1(TEXT))
    assert shown["contained"][0]["name"] == [{"text": "张珅", "family": "张珅"}]
    assert (await client.get(places[1], headers=headers)).json() == shown
    raw = await client.get(places[2], headers=headers)
    assert (raw.content, raw.headers["content-type"]) == (TEXT, "text/xml")
    resource = await client.get(places[2], headers=headers | {"Accept": "application/fhir+json"})
    assert base64.b64decode(resource.json()["data"]) == TEXT
    lists = (
        await client.get(f"{PROVIDE}/List?code=submissionset&patient={somebody.number}", headers=headers)
    ).json()
    [listed] = [one["resource"] for one in lists["entry"]]
    assert check(listed, "$this") == []
    assert {one["item"]["reference"] for one in listed["entry"]} == {
        place.partition(f"{PROVIDE}/")[2] for place in (places[1], places[3])
    }


async def test_line_40_one_wrong_document_and_nothing_is_registered(
    client: httpx.AsyncClient, somebody: PatientId, engine: sa.Engine, headers: dict[str, str]
) -> None:
    wrong = document(somebody, 2)
    wrong["content"][0]["attachment"]["hash"] = base64.b64encode(bytes(20)).decode()
    answer = await client.post(PROVIDE, json=bundle(somebody, document(somebody, 1), wrong), headers=headers)
    assert answer.status_code == 400
    [issue] = answer.json()["issue"]
    assert issue["expression"] == ["Bundle.entry[3].resource"]
    assert "XDSRepositoryMetadataError: hash" in issue["details"]["text"]
    assert counted(engine) == (0, 0)
    with engine.connect() as connection:
        audited = connection.execute(
            sa.text("SELECT outcome, reason FROM access.audit WHERE action = 'document.submit'")
        ).one()
    assert audited.outcome == "refused"
    assert "XDSRepositoryMetadataError" in audited.reason


async def test_line_40_a_replacement_supersedes_what_it_relates_to(
    client: httpx.AsyncClient, somebody: PatientId, headers: dict[str, str]
) -> None:
    first = await sent(client, bundle(somebody, document(somebody, 1)), headers)
    target = first[1].partition(f"{PROVIDE}/")[2]
    relation = [{"code": "replaces", "target": {"reference": target}}]
    second = await sent(client, bundle(somebody, document(somebody, 2, relatesTo=relation)), headers)
    for status, place in (("current", second[1]), ("superseded", first[1])):
        address = f"{PROVIDE}/DocumentReference?patient={somebody.number}&status={status}"
        found = (await client.get(address, headers=headers)).json()
        assert [one["fullUrl"] for one in found["entry"]] == [place]
    assert (await client.get(second[1], headers=headers)).json()["relatesTo"] == relation
    assert (await client.get(first[2], headers=headers)).content == TEXT


async def test_line_40_minimal_metadata_is_completed_and_comprehensive_must_be_whole(
    client: httpx.AsyncClient, somebody: PatientId, engine: sa.Engine, headers: dict[str, str]
) -> None:
    spare = document(somebody, 1, minimal=True)
    answer = await client.post(PROVIDE, json=bundle(somebody, spare), headers=headers)
    assert answer.status_code == 400
    assert {issue["expression"][0] for issue in answer.json()["issue"]} == {"Bundle.entry[1].resource"}
    assert "classCode" in answer.text
    assert counted(engine) == (0, 0)
    places = await sent(client, bundle(somebody, spare, minimal=True), headers)
    shown = (await client.get(places[1], headers=headers)).json()
    assert shown["context"]["practiceSetting"]["coding"][0]["code"] == "00"
    assert shown["category"][0]["coding"][0]["code"] == "other"


async def test_line_40_itis_66_and_67_find_what_iti_18_finds_and_iti_68_gives_what_iti_43_gives(
    client: httpx.AsyncClient, somebody: PatientId, headers: dict[str, str]
) -> None:
    over_soap = entry(somebody)
    await provided(client, [(over_soap, TEXT)])
    over_fhir = document(somebody, 1)
    await sent(client, bundle(somebody, over_fhir), headers)
    unique_ids = {over_soap.unique_id, over_fhir["masterIdentifier"]["value"].removeprefix("urn:oid:")}
    found = (
        await client.get(f"{PROVIDE}/DocumentReference?patient={somebody.number}", headers=headers)
    ).json()
    assert {one["resource"]["masterIdentifier"]["value"] for one in found["entry"]} == {
        f"urn:oid:{one}" for one in unique_ids
    }
    for one in found["entry"]:
        bytes_ = await client.get(one["resource"]["content"][0]["attachment"]["url"], headers=headers)
        unique_id = one["resource"]["masterIdentifier"]["value"].removeprefix("urn:oid:")
        _, [document_] = await retrieved(client, [Reference(OURS, unique_id)])
        assert bytes_.content == document_.content


SEARCHES = [
    ("", 1),
    ("&category=discharge", 1),
    ("&category=lab", 0),
    ("&type=urn:oid:2.16.156.10011.2.4|C0053", 1),
    ("&type=urn:oid:2.16.156.10011.2.4|C0001", 0),
    ("&setting=03,04", 1),
    ("&facility=clinic", 0),
    ("&security-label=N", 1),
    ("&format=wst500-cda", 1),
    ("&creation=2026-11-20", 1),
    ("&creation=ge2026-11-21", 0),
    ("&period=2026-11-15", 1),
    ("&period=ge2026-12", 0),
    ("&author.family=张", 1),
    ("&author.family=李", 0),
    ("&status=superseded", 0),
    ("&_count=0", 0),
]
"""ITI-67 parameters, and how many of one document they find."""


async def test_what_itis_67_parameters_find(
    client: httpx.AsyncClient, somebody: PatientId, headers: dict[str, str]
) -> None:
    await sent(client, bundle(somebody, document(somebody, 1)), headers)
    people = (
        f"patient=Patient/{somebody.number}",
        f"patient.identifier=urn:oid:{CONSORTIUM}|{somebody.number}",
        "patient.identifier=urn:oid:1.2.156.10011.99.2|HP000123",
    )
    for whose, (parameters, count) in itertools.product(people, SEARCHES):
        found = await client.get(f"{PROVIDE}/DocumentReference?{whose}{parameters}", headers=headers)
        assert len(found.json().get("entry", ())) == count, (parameters, found.text)


async def test_itis_66_submission_sets_and_folders(
    client: httpx.AsyncClient, somebody: PatientId, headers: dict[str, str]
) -> None:
    body = bundle(somebody, document(somebody, 1))
    folder = copy.deepcopy(body["entry"][0])
    folder["fullUrl"] = "urn:uuid:folder"
    folder["resource"] |= {
        "identifier": [uri(oid()) | {"use": "usual"}],
        "code": {"coding": [{"system": LIST_TYPES, "code": "folder"}]},
        "title": "2026年11月住院",
        "extension": [
            {
                "url": f"{MHD}ihe-designationType",
                "valueCodeableConcept": concept("episode", f"{CONSORTIUM}.27", "一次就诊"),
            }
        ],
    }
    body["entry"].append(folder)
    places = await sent(client, body, headers)
    expected = {
        "": 2,
        "&code=folder": 1,
        "&code=submissionset": 1,
        "&status=current": 2,
        "&status=retired": 0,
        "&designationType=episode,inpatient": 2,
        f"&designationType=urn:oid:{CONSORTIUM}.27|episode": 1,
        "&code=submissionset&date=2026-11-20": 1,
        "&code=submissionset&date=lt2026-11-20": 0,
        "&code=submissionset&sourceId=urn:oid:1.2.156.10011.99.2": 1,
        "&code=submissionset&sourceId=1.2.3": 0,
        "&code=submissionset&source.family=李": 0,
    }
    for parameters, count in expected.items():
        address = f"{PROVIDE}/List?patient={somebody.number}{parameters}"
        found = (await client.get(address, headers=headers)).json()
        assert found["total"] == count, parameters
    shown = (await client.get(places[3], headers=headers)).json()
    assert check(shown, "$this") == []
    assert shown["title"] == "2026年11月住院"
    assert [one["item"]["reference"] for one in shown["entry"]] == [places[1].partition(f"{PROVIDE}/")[2]]
    of_set = (await client.get(places[0], headers=headers)).json()
    assert len(of_set["entry"]) == 2
    unique_id = shown["identifier"][0]["value"]
    address = f"{PROVIDE}/List?identifier=urn:ietf:rfc:3986|{unique_id}"
    assert [one["fullUrl"] for one in (await client.get(address, headers=headers)).json()["entry"]] == [
        places[3]
    ]


async def test_by_identifier_pages_and_what_is_not_there(
    client: httpx.AsyncClient, somebody: PatientId, headers: dict[str, str]
) -> None:
    bodies = [bundle(somebody, document(somebody, 1)) for _ in range(3)]
    for body in bodies:
        await sent(client, body, headers)
    master = bodies[0]["entry"][1]["resource"]["masterIdentifier"]["value"]
    address = f"{PROVIDE}/DocumentReference?identifier=urn:ietf:rfc:3986|{master}"
    assert (await client.get(address, headers=headers)).json()["total"] == 1
    seen: list[str] = []
    url = f"{PROVIDE}/DocumentReference?patient={somebody.number}&_count=2"
    while url:
        page = (await client.get(url, headers=headers)).json()
        seen += [one["fullUrl"] for one in page["entry"]]
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
    assert (len(seen), len(set(seen))) == (3, 3)
    nothing = "00000000-0000-4000-8000-000000000000"
    for kind in ("DocumentReference", "List", "Binary"):
        for id_ in (nothing, "no-id"):
            assert (await client.get(f"{PROVIDE}/{kind}/{id_}", headers=headers)).status_code == 404
    for query in ("", "?patient=nobody", "?patient.identifier=urn:oid:1.2.156.10011.99.2|X"):
        assert (await client.get(f"{PROVIDE}/List{query}", headers=headers)).status_code == 400


def broken(body: Json, path: tuple[Any, ...], value: Any) -> Json:
    body = copy.deepcopy(body)
    place = body
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return body


MISTAKES: list[tuple[tuple[Any, ...], Any, str]] = [
    (("type",), "batch", "Bundle.type"),
    (("meta",), {}, "Bundle.meta.profile"),
    (("entry", 0), None, "Bundle.entry"),
    (("entry", 1, "request", "method"), "PUT", "Bundle.entry[1].request.method"),
    (("entry", 1, "fullUrl"), None, "Bundle.entry[1].fullUrl"),
    (("entry", 1, "fullUrl"), "urn:uuid:set", "Bundle.entry[1].fullUrl"),
    (("entry", 1, "resource", "status"), None, "Bundle.entry[1].resource.status"),
    (("entry", 1, "resource", "subject", "reference"), "Patient/1", "Bundle.entry[1].resource.subject"),
    (("entry", 2), None, "Bundle.entry[1].resource.content[0].attachment.url"),
    (("entry", 2, "resource", "data"), "no base64", "Bundle.entry[1].resource.content[0].attachment"),
    (("entry", 2, "resource"), {"resourceType": "Observation"}, "Bundle.entry[2].resource"),
    (("entry", 0, "resource", "code", "coding", 0, "code"), "x", "Bundle.entry[0].resource.code"),
]
"""Where a bundle is broken, by what (None: taken away), and the expression that tells it."""


async def test_what_is_no_provide_bundle_is_refused_with_its_place(
    client: httpx.AsyncClient, somebody: PatientId, engine: sa.Engine, headers: dict[str, str]
) -> None:
    for path, value, expression in MISTAKES:
        body = broken(bundle(somebody, document(somebody, 1)), path, value)
        answer = await client.post(PROVIDE, json=body, headers=headers)
        assert answer.status_code == 400, (path, answer.text)
        told = {one for issue in answer.json()["issue"] for one in issue["expression"]}
        assert expression in told, (path, answer.text)
    assert counted(engine) == (0, 0)


async def test_who_may(
    client: httpx.AsyncClient, somebody: PatientId, headers: dict[str, str], as_: As
) -> None:
    places = await sent(client, bundle(somebody, document(somebody, 1)), headers)
    for user, status in (("doctor.main", 200), ("patient.demo", 403), ("engineer", 403)):
        for place in places:
            assert (await client.get(place, headers=as_(user))).status_code == status
    refused = await client.post(PROVIDE, json={}, headers=as_("doctor.main"))
    assert refused.status_code == 403


async def test_line_41_each_transaction_is_in_the_audit_answered_or_not(
    client: httpx.AsyncClient, somebody: PatientId, headers: dict[str, str], engine: sa.Engine
) -> None:
    places = await sent(client, bundle(somebody, document(somebody, 1)), headers)
    spare = document(somebody, 2, minimal=True)
    await client.post(PROVIDE, json=bundle(somebody, spare), headers=headers)
    nothing = "00000000-0000-4000-8000-000000000000"
    for address in (
        f"{PROVIDE}/List?patient={somebody.number}",
        f"{PROVIDE}/List",
        f"{PROVIDE}/List?patient={somebody.number}&_page=third",
        f"{PROVIDE}/List/{nothing}",
        f"{PROVIDE}/List/no-uuid",
        f"{PROVIDE}/DocumentReference?patient={somebody.number}",
        f"{PROVIDE}/DocumentReference?patient=nobody",
        places[2],
        f"{PROVIDE}/Binary/{nothing}",
    ):
        await client.get(address, headers=headers)
    with engine.connect() as connection:
        written = [one.entry for one in audit.entries(connection, limit=20)]
    kept = [
        (one.resource.removesuffix("/{id}").rpartition("/")[2], one.outcome, one.persons)
        for one in reversed(written)
        if one.action.startswith("document.")
    ]
    who = [UUID(somebody.number)]
    assert kept == [
        ("mhd", "allowed", who),
        ("mhd", "refused", []),
        ("List", "allowed", who),
        ("List", "refused", []),
        ("List", "refused", []),
        ("List", "refused", []),
        ("List", "refused", []),
        ("DocumentReference", "allowed", who),
        ("DocumentReference", "refused", []),
        ("Binary", "allowed", who),
        ("Binary", "refused", []),
    ]


async def test_the_capability_statement_is_as_r4_has_it(client: httpx.AsyncClient, as_: As) -> None:
    said = (await client.get(f"{PROVIDE}/metadata", headers=as_("doctor.main"))).json()
    assert check(said, "$this") == []
    assert {one["type"] for one in said["rest"][0]["resource"]} == {"DocumentReference", "List", "Binary"}
