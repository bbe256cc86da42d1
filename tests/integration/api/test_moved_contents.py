"""Contents that were moved out of PostgreSQL are read by everything as before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from api.app import create_app
from bus.ihe.document_sets import Reference
from consortium.documents.content import FolderStore, StoreAwayError
from consortium.documents.moving import move
from consortium.documents.recorded import unique_id
from consortium.documents.upkeep import check, sweep
from consortium.errors import PermanentError
from consortium.records import query, service
from consortium.records.model import Change, Coded, Document, Kind, Patient, Provenance
from simulators.cda.samples import document
from tests.integration.api.conftest import As, settings_for
from tests.integration.api.records import DAY
from tests.integration.api.xds import OURS, retrieved

SAMPLE = document(20261120, DAY.date(), "discharge").body
PICTURE = hashlib.shake_256(b"seed").digest(100_000)


class FailingStore(FolderStore):
    """Takes one content and no other."""

    taken = 0

    def put(self, sha256: bytes, data: bytes) -> None:
        self.taken += 1
        if self.taken > 1:
            raise StoreAwayError("full")
        super().put(sha256, data)


@pytest.fixture
def app(seeded_url: str, tmp_path: Path) -> Iterator[FastAPI]:
    settings = settings_for(seeded_url).model_copy(update={"documents_store": str(tmp_path)})
    application = create_app(settings)
    yield application
    application.state.platform.engine.dispose()


def written(engine: sa.Engine, number: str, content: bytes, mime_type: str) -> None:
    said = Document(
        number=number, type=Coded(code="C0053"), title="出院小结", mime_type=mime_type, content=content
    )
    change = Change(kind=Kind.DOCUMENT, patient=Patient(number="HP1"), documents=(said,))
    with engine.begin() as connection:
        service.apply(connection, change, Provenance(message_id=1, facility="HP", received_at=DAY))


def quiet(_done: int, _all: int) -> None:
    pass


async def test_moved_contents_are_read_as_before(
    client: httpx.AsyncClient, engine: sa.Engine, as_: As, tmp_path: Path
) -> None:
    written(engine, "D1", SAMPLE, "text/xml")
    written(engine, "D2", PICTURE, "image/jpeg")
    store = FolderStore(tmp_path)
    seen: list[tuple[int, int]] = []
    moved = move(engine, store, lambda done, all_: seen.append((done, all_)))
    assert (moved.contents, moved.bytes, seen) == (2, len(SAMPLE) + len(PICTURE), [(2, 2)])
    assert move(engine, store, quiet).contents == 0
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT sum(length(content)) FROM records.blob")).scalar() == 0
        ids = connection.execute(sa.text("SELECT id FROM records.document ORDER BY number")).scalars().all()
        with pytest.raises(PermanentError, match="not known here"):
            query.content(connection, ids[0])
    page = await client.get(f"/api/v1/documents/{ids[0]}/html", headers=as_("doctor.main"))
    assert "<h1>出院小结</h1>" in page.text
    for id_, content in zip(ids, (SAMPLE, PICTURE), strict=True):
        binary = await client.get(f"/fhir/Binary/{id_}", headers=as_("doctor.main"))
        assert binary.content == content
        _, [found] = await retrieved(client, [Reference(OURS, unique_id(id_))])
        assert found.content == content
    written(engine, "D3", SAMPLE, "text/xml")  # the same content again, of another document
    found_ = sweep(engine, store, DAY.replace(year=2100), remove=True)
    assert found_.orphans == 0
    assert check(engine, store, OURS, quiet).contents == 2
    assert check(engine, store, OURS, quiet).sound
    store.remove(hashlib.sha256(PICTURE).digest())
    assert check(engine, store, OURS, quiet).missing == [f"sha256:{hashlib.sha256(PICTURE).hexdigest()}"]
    said, documents = await retrieved(client, [Reference(OURS, unique_id(id_)) for id_ in ids])
    assert (said.status, said.errors) == ("PartialSuccess", ["XDSRepositoryError"])
    assert [one.content for one in documents] == [SAMPLE]


def test_a_move_that_fails_changes_nothing_and_goes_on_when_it_is_run_again(
    engine: sa.Engine, tmp_path: Path
) -> None:
    written(engine, "D1", SAMPLE, "text/xml")
    written(engine, "D2", PICTURE, "image/jpeg")
    with pytest.raises(StoreAwayError):
        move(engine, FailingStore(tmp_path), quiet)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM records.blob")).scalar() == 2
        left = sa.text("SELECT count(*) FROM records.blob WHERE coding = 'moved'")
        assert connection.execute(left).scalar() == 0
    assert move(engine, FolderStore(tmp_path), quiet).contents == 2
