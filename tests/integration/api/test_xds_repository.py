"""ITI-41 and ITI-43 at /xds/repository: the lines 33 to 36 and 41 of the conformance checklist."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from api.app import create_app
from bus.ihe.document_sets import Reference
from consortium.documents.content import key_of
from consortium.documents.model import AssociationType, PatientId
from consortium.documents.provide import sha1
from consortium.documents.recorded import unique_id
from consortium.records.keys import record_id
from consortium.records.model import Change, Coded, Document, Kind, Patient
from tests.integration.api.conftest import As, settings_for
from tests.integration.api.records import write
from tests.integration.api.xds import OURS, Answered, patient, person_of, provided, retrieved
from tests.shared_documents import entry, related, submission

CDA = "<ClinicalDocument>出院小结：欧阳珅𠮷</ClinicalDocument>".encode()
PICTURE = hashlib.shake_256(b"seed").digest(300_000)
SUCCESS = Answered("Success", [], [])


@pytest.fixture
def app(seeded_url: str, tmp_path: Path) -> Iterator[FastAPI]:
    (tmp_path / "documents").mkdir()
    settings = settings_for(seeded_url).model_copy(update={"documents_store": str(tmp_path / "documents")})
    application = create_app(settings)
    yield application
    application.state.platform.engine.dispose()


@pytest.fixture
def somebody(engine: sa.Engine) -> PatientId:
    """欧阳珅, known at Huangpu."""
    return patient(engine)


def count(engine: sa.Engine, table: str) -> int:
    counted = sa.select(sa.func.count()).select_from(sa.table(table, schema="documents"))
    with engine.connect() as connection:
        return int(connection.execute(counted).scalar_one())


@pytest.mark.parametrize("mtom", [True, False], ids=["mtom", "inline"])
async def test_line_33_and_36_one_and_two_documents_come_back_with_bytes_hash_and_mime_type(
    client: httpx.AsyncClient, engine: sa.Engine, somebody: PatientId, mtom: bool
) -> None:
    one = entry(somebody)
    assert await provided(client, [(one, CDA)], mtom=mtom) == SUCCESS
    two, three = entry(somebody), entry(somebody, mime_type="image/jpeg", title="影像")
    assert await provided(client, [(two, CDA + b"\r\n"), (three, PICTURE)], mtom=mtom) == SUCCESS
    wanted = [Reference(OURS, each.unique_id) for each in (one, two, three)]
    said, documents = await retrieved(client, wanted, mtom=mtom)
    assert said == SUCCESS
    assert [each.reference for each in documents] == wanted
    assert [(each.mime_type, each.content) for each in documents] == [
        ("text/xml", CDA),
        ("text/xml", CDA + b"\r\n"),
        ("image/jpeg", PICTURE),
    ]
    with engine.connect() as connection:
        registered = connection.execute(sa.text("SELECT unique_id, hash, size FROM documents.entry"))
        said_of = {unique_id: (hash_, size) for unique_id, hash_, size in registered}
    assert said_of == {
        each.reference.unique_id: (sha1(each.content), len(each.content)) for each in documents
    }


async def test_line_33_documents_and_metadata_that_do_not_match(
    client: httpx.AsyncClient, engine: sa.Engine, somebody: PatientId
) -> None:
    one, two = entry(somebody), entry(somebody)
    without_metadata = await provided(client, [(one, CDA), (two, CDA)], submission(one))
    assert (without_metadata.status, without_metadata.errors) == ("Failure", ["XDSMissingDocumentMetadata"])
    without_document = await provided(client, [(one, CDA)], submission(one, two))
    assert (without_document.status, without_document.errors) == ("Failure", ["XDSMissingDocument"])
    assert (count(engine, "stored"), count(engine, "entry")) == (0, 0)


async def test_line_34_size_and_hash_are_computed_where_they_are_absent_and_refused_where_wrong(
    client: httpx.AsyncClient, engine: sa.Engine, somebody: PatientId
) -> None:
    one = entry(somebody)
    assert await provided(client, [(one, CDA)]) == SUCCESS
    with engine.connect() as connection:
        found = connection.execute(sa.text("SELECT size, hash, repository_unique_id FROM documents.entry"))
        assert found.one() == (len(CDA), sha1(CDA), OURS)
    for wrong in ({"size": len(CDA) + 1}, {"hash": "00" * 20}):
        said = await provided(client, [(entry(somebody, **wrong), CDA)])
        assert (said.status, said.errors) == ("Failure", ["XDSRepositoryMetadataError"])
        assert next(iter(wrong)) in said.contexts[0]
    assert count(engine, "entry") == 1


async def test_line_34_another_content_under_a_unique_id_that_is_held_is_refused(
    client: httpx.AsyncClient, somebody: PatientId
) -> None:
    one = entry(somebody)
    assert await provided(client, [(one, CDA)]) == SUCCESS
    assert await provided(client, [(one, CDA)]) == SUCCESS  # the same again is taken (line 25)
    said = await provided(client, [(one, CDA + b" ")])
    assert (said.status, said.errors) == ("Failure", ["XDSNonIdenticalHash"])
    _, [document] = await retrieved(client, [Reference(OURS, one.unique_id)])
    assert document.content == CDA


async def test_a_recorded_document_s_unique_id_is_not_taken_over(
    client: httpx.AsyncClient, engine: sa.Engine, somebody: PatientId
) -> None:
    document = Document(
        number="DOC1", type=Coded(code="18842-5", name="出院小结"), title="出院小结", content=CDA
    )
    patient = Patient(number="HP000123")
    write(engine, "HP", 2, Change(kind=Kind.DOCUMENT, patient=patient, documents=(document,)))
    its_own = unique_id(record_id("HP", "document", "DOC1"))
    said = await provided(client, [(entry(somebody, unique_id=its_own), CDA + b"<!-- another -->")])
    assert (said.status, said.errors) == ("Failure", ["XDSNonIdenticalHash"])
    _, [found] = await retrieved(client, [Reference(OURS, its_own)])
    assert found.content == CDA


async def test_line_35_registry_errors_pass_through_and_nothing_is_kept(
    client: httpx.AsyncClient, engine: sa.Engine, somebody: PatientId
) -> None:
    stranger = PatientId("00000000-0000-4000-8000-000000000000", somebody.authority)
    unknown = entry(stranger)
    said = await provided(client, [(unknown, CDA)])
    assert (said.status, set(said.errors)) == ("Failure", {"XDSUnknownPatientId"})
    assert (count(engine, "stored"), count(engine, "entry")) == (0, 0)
    said, documents = await retrieved(client, [Reference(OURS, unknown.unique_id)])
    assert (said.status, said.errors, documents) == ("Failure", ["XDSDocumentUniqueIdError"], [])


async def test_line_36_unknown_documents_and_repositories_are_a_partial_success(
    client: httpx.AsyncClient, somebody: PatientId
) -> None:
    one = entry(somebody)
    await provided(client, [(one, CDA)])
    known, unknown = Reference(OURS, one.unique_id), Reference(OURS, "1.2.3")
    elsewhere = Reference("1.2.3.4", one.unique_id)
    said, documents = await retrieved(client, [known, unknown, elsewhere])
    assert said.status == "PartialSuccess"
    assert sorted(said.errors) == ["XDSDocumentUniqueIdError", "XDSUnknownRepositoryId"]
    assert [each.content for each in documents] == [CDA]
    said, documents = await retrieved(client, [unknown])
    assert (said.status, documents) == ("Failure", [])


async def test_a_document_that_was_replaced_can_still_be_retrieved(
    client: httpx.AsyncClient, somebody: PatientId, engine: sa.Engine
) -> None:
    old, new = entry(somebody), entry(somebody, title="出院小结（更正）")
    await provided(client, [(old, CDA)])
    with engine.connect() as connection:
        id_ = connection.execute(sa.text("SELECT 'urn:uuid:' || id FROM documents.entry")).scalar_one()
    replaces = related(new, id_, AssociationType.REPLACES)
    assert await provided(client, [(new, PICTURE)], submission(new, more=(replaces,))) == SUCCESS
    said, documents = await retrieved(
        client, [Reference(OURS, old.unique_id), Reference(OURS, new.unique_id)]
    )
    assert (said, [each.content for each in documents]) == (SUCCESS, [CDA, PICTURE])


async def test_a_content_that_was_damaged_is_told_and_not_given(
    client: httpx.AsyncClient, somebody: PatientId, tmp_path: Path
) -> None:
    one, two, three = entry(somebody), entry(somebody), entry(somebody)
    await provided(client, [(one, CDA), (two, PICTURE), (three, b"3")])
    (tmp_path / "documents" / key_of(hashlib.sha256(CDA).digest())).write_bytes(b"damaged")
    (tmp_path / "documents" / key_of(hashlib.sha256(PICTURE).digest())).unlink()
    said, documents = await retrieved(client, [Reference(OURS, each.unique_id) for each in (one, two, three)])
    assert (said.status, said.errors) == ("PartialSuccess", ["XDSRepositoryError"] * 2)
    assert "damaged" in said.contexts[0]
    assert "not in the store" in said.contexts[1]
    assert [each.content for each in documents] == [b"3"]


async def test_a_store_that_is_full_is_busy_and_nothing_is_registered(
    client: httpx.AsyncClient, somebody: PatientId, engine: sa.Engine, tmp_path: Path
) -> None:
    (tmp_path / "documents").rmdir()
    (tmp_path / "documents").write_bytes(b"a file where the folder should be")
    said = await provided(client, [(entry(somebody), CDA)])
    assert (said.status, said.errors) == ("Failure", ["XDSRepositoryBusy"])
    assert (count(engine, "stored"), count(engine, "entry")) == (0, 0)


async def test_an_answer_that_would_be_too_large_says_which_to_ask_for_alone(
    somebody: PatientId, seeded_url: str, tmp_path: Path
) -> None:
    changes = {"documents_store": str(tmp_path), "documents_limit": 700_000}
    app = create_app(settings_for(seeded_url).model_copy(update=changes))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://yilian.test") as client:
        one, two = entry(somebody, mime_type="image/jpeg"), entry(somebody, mime_type="image/jpeg")
        for each, content in ((one, PICTURE * 2), (two, PICTURE + PICTURE[::-1])):
            assert await provided(client, [(each, content)]) == SUCCESS
        said, documents = await retrieved(client, [Reference(OURS, each.unique_id) for each in (one, two)])
        assert (said.status, said.errors) == ("PartialSuccess", ["XDSRepositoryOutOfResources"])
        assert [each.reference.unique_id for each in documents] == [one.unique_id]
        _, [document] = await retrieved(client, [Reference(OURS, two.unique_id)])
        assert document.content == PICTURE + PICTURE[::-1]
        with pytest.raises(AssertionError, match="超过上限"):
            await provided(client, [(entry(somebody), PICTURE * 3)])
    app.state.platform.engine.dispose()


async def test_line_41_success_and_failure_are_in_the_audit(
    client: httpx.AsyncClient, engine: sa.Engine, somebody: PatientId
) -> None:
    one = entry(somebody)
    await provided(client, [(one, CDA)])
    await provided(client, [(replace(one, size=1), CDA)])
    await retrieved(client, [Reference(OURS, one.unique_id), Reference(OURS, "1.2.3")])
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT resource, action, outcome, persons, reason FROM access.audit"
                " WHERE resource LIKE 'ITI-%' ORDER BY id"
            )
        ).all()
    who = [person_of(somebody)]
    assert [tuple(row[:4]) for row in rows] == [
        ("ITI-41 /repository", "document.submit", "allowed", who),
        ("ITI-41 /repository", "document.submit", "refused", []),
        ("ITI-43 /repository", "document.read", "allowed", who),
        ("ITI-43 /repository", "document.read", "refused", []),
    ]
    assert rows[1].reason == "XDSRepositoryMetadataError"
    assert rows[3].reason == "XDSDocumentUniqueIdError"


@pytest.mark.parametrize("user", ["doctor.huangpu", "patient.demo", "engineer"])
async def test_only_a_campuss_program_submits(
    client: httpx.AsyncClient, engine: sa.Engine, somebody: PatientId, as_: As, user: str
) -> None:
    client.headers.update(as_(user))
    with pytest.raises(AssertionError, match="无权执行此操作"):
        await provided(client, [(entry(somebody), CDA)], auth=None)
    with engine.connect() as connection:
        refused = connection.execute(
            sa.text("SELECT username, outcome FROM access.audit WHERE resource = 'ITI-41 /repository'")
        ).all()
    assert [tuple(row) for row in refused] == [(user, "refused")]


async def test_a_doctor_retrieves_and_a_patient_does_not_see_another(
    client: httpx.AsyncClient, somebody: PatientId, as_: As
) -> None:
    one = entry(somebody)
    await provided(client, [(one, CDA)])
    wanted = [Reference(OURS, one.unique_id)]
    client.headers.update(as_("doctor.main"))
    assert (await retrieved(client, wanted, auth=None))[0] == SUCCESS
    for user in ("patient.demo", "engineer"):
        client.headers.update(as_(user))
        with pytest.raises(AssertionError, match="无权"):
            await retrieved(client, wanted, auth=None)
