"""What messages' documents hold goes to the store before the commit; both kinds of store keep that."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from obstore.store import MemoryStore

from consortium.documents import keeping
from consortium.documents.content import ContentStore, FolderStore, StoreAwayError
from consortium.documents.objects import BucketStore
from consortium.documents.provide import sha1 as sha1_of
from consortium.documents.upkeep import check, sweep
from consortium.records import query, service
from consortium.records.model import Change, Coded, Document, Kind, Patient, Provenance
from consortium.records.query import STORE

NOW = datetime(2026, 11, 25, tzinfo=UTC)
LATER = datetime.now(UTC) + timedelta(days=1)
OURS = "1.2.156.10011.99.0.1"
TEXT = "出院小结：病情平稳。珅".encode() * 500
PICTURE = hashlib.shake_256(b"seed").digest(100_000)


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ContentStore:
    return FolderStore(tmp_path) if request.param == "folder" else BucketStore(MemoryStore(), "x")


@pytest.fixture
def bare(database_url: str) -> Iterator[sa.Engine]:
    """An engine that knows no store."""
    engine = sa.create_engine(database_url.replace("postgresql://", "postgresql+psycopg://", 1))
    yield engine
    engine.dispose()


@pytest.fixture
def engine(bare: sa.Engine, store: ContentStore) -> sa.Engine:
    return bare.execution_options(**{STORE: store})


def named(*contents: bytes) -> dict[bytes, bytes]:
    return {hashlib.sha256(content).digest(): content for content in contents}


def recorded(engine: sa.Engine, *contents: bytes) -> None:
    documents = tuple(
        Document(number=f"D{n}", type=Coded(code="C0053"), title="出院小结", content=content)
        for n, content in enumerate(contents)
    )
    change = Change(kind=Kind.DOCUMENT, patient=Patient(number="P1"), documents=documents)
    with engine.begin() as connection:
        service.apply(connection, change, Provenance(message_id=1, facility="MAIN", received_at=NOW))


def kept(engine: sa.Engine) -> list[tuple[str, int, int]]:
    with engine.connect() as connection:
        said = sa.text("SELECT coding, size, length(content) AS kept FROM records.blob ORDER BY size")
        return [(row.coding, row.size, row.kept) for row in connection.execute(said)]


def read(engine: sa.Engine) -> list[bytes]:
    with engine.connect() as connection:
        ids = connection.execute(sa.text("SELECT id FROM records.document ORDER BY number")).scalars().all()
        found = [query.content(connection, id_) for id_ in ids]
    return [one.data for one in found if one]


def test_documents_of_a_message_lie_in_the_store_and_are_read_from_there(
    engine: sa.Engine, store: ContentStore
) -> None:
    recorded(engine, TEXT, PICTURE)
    assert kept(engine) == [("moved", len(TEXT), 0), ("moved", len(PICTURE), 0)]
    assert {name: store.get(name) for name in named(TEXT, PICTURE)} == named(TEXT, PICTURE)
    assert read(engine) == [TEXT, PICTURE]
    with engine.connect() as connection:
        sha1 = (
            connection.execute(sa.text("SELECT sha1 FROM documents.content_sha1 ORDER BY 1")).scalars().all()
        )
    assert sorted(map(bytes, sha1)) == sorted(bytes.fromhex(sha1_of(one)) for one in (TEXT, PICTURE))
    assert check(engine, store, OURS, lambda done, all_: None).sound
    assert sweep(engine, store, LATER, remove=True).orphans == 0


def test_a_content_that_is_in_a_row_still_is_read_and_moves_out_when_it_comes_again(
    engine: sa.Engine, bare: sa.Engine, store: ContentStore
) -> None:
    recorded(bare, TEXT, PICTURE)
    packed = len(zlib.compress(TEXT, 6))
    rows = [("zlib", len(TEXT), packed), ("identity", len(PICTURE), len(PICTURE))]
    assert kept(engine) == rows
    assert read(engine) == [TEXT, PICTURE]
    with engine.begin() as connection:
        keeping.keep(connection, named(TEXT))
    assert kept(engine) == [("moved", len(TEXT), 0), rows[1]]
    assert read(engine) == [TEXT, PICTURE]


def test_a_crash_between_the_store_and_the_commit_leaves_an_orphan_alone(
    engine: sa.Engine, store: ContentStore
) -> None:
    with engine.connect() as connection:
        keeping.keep(connection, named(TEXT))
        connection.invalidate()  # as when the process is killed
    assert (kept(engine), [one.sha256 for one in store.all()]) == ([], list(named(TEXT)))
    assert sweep(engine, store, NOW - timedelta(days=9), remove=True).orphans == 0  # it may be under way
    assert sweep(engine, store, LATER, remove=True).orphans == 1
    assert list(store.all()) == []
    recorded(engine, TEXT)
    assert read(engine) == [TEXT]


def test_a_sweep_waits_for_a_message_under_way_and_spares_what_it_names(
    engine: sa.Engine, store: ContentStore
) -> None:
    [(name, content)] = named(TEXT).items()
    store.put(name, content)  # an orphan so far
    with engine.begin() as connection:
        keeping.keep(connection, {name: content})
        with pytest.raises(Exception, match="run it again"):
            sweep(engine, store, LATER, remove=True, patience=0.05)
    assert sweep(engine, store, LATER, remove=True).orphans == 0
    assert store.get(name) == content


class Full(FolderStore):
    """Takes the text and no picture."""

    def put(self, sha256: bytes, data: bytes) -> None:
        if data == PICTURE:
            raise StoreAwayError("No space left on device")
        super().put(sha256, data)


@pytest.mark.parametrize("contents", [named(PICTURE), named(TEXT, PICTURE)], ids=["alone", "of several"])
def test_a_store_without_room_ends_the_transaction(
    bare: sa.Engine, tmp_path: Path, contents: Mapping[bytes, bytes]
) -> None:
    full = bare.execution_options(**{STORE: Full(tmp_path)})
    with pytest.raises(StoreAwayError, match="No space"), full.begin() as connection:
        keeping.keep(connection, contents)
    assert kept(bare) == []


def test_a_message_without_documents_asks_the_store_nothing(bare: sa.Engine) -> None:
    statements: list[str] = []
    with bare.execution_options(**{STORE: None}).begin() as connection:
        sa.event.listen(connection, "before_cursor_execute", lambda *given: statements.append(given[2]))
        keeping.keep(connection, {})
    assert statements == []
