"""The index of documents: nothing is missed, nothing is held up, and it can be made anew at any time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from bus.cda.console import documents_main
from bus.fulltext import rebuild as rebuilding_
from bus.fulltext.console import rebuild_main
from bus.fulltext.indexer import ATTEMPTS, Indexer
from bus.fulltext.rebuild import rebuild
from bus.fulltext.worker import indexing
from consortium.documents import rebuilding
from consortium.documents.content import FolderStore, StoreAwayError
from consortium.documents.moving import move
from consortium.records.model import Change, Coded, Document, Kind, Patient
from consortium.records.query import STORE
from runtime.waiting import until
from tests.integration.api.records import write


class AwayStore(FolderStore):
    """A store that does not answer."""

    def get(self, sha256: bytes) -> bytes | None:
        raise StoreAwayError("away")


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


@pytest.fixture
def engine(database_url: str, store: FolderStore) -> Iterator[sa.Engine]:
    url = sa.make_url(database_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, poolclass=NullPool, execution_options={STORE: store})
    yield engine
    engine.dispose()


@pytest.fixture
def indexer(engine: sa.Engine, store: FolderStore) -> Indexer:
    return Indexer(engine, store)


def kept(
    engine: sa.Engine,
    number: str,
    content: bytes = "高血压".encode(),
    mime: str = "text/plain",
    title: str = "小结",
) -> None:
    made = Document(number=number, type=Coded(code="C0053"), title=title, mime_type=mime, content=content)
    write(engine, "HP", 1, Change(kind=Kind.DOCUMENT, patient=Patient(number="P1"), documents=(made,)))


def rows(engine: sa.Engine, statement: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(statement))]


TEXTS = "SELECT text, problem FROM documents.text ORDER BY text, problem"


def standing(engine: sa.Engine) -> rebuilding.Standing:
    with engine.connect() as connection:
        return rebuilding.standing(connection)


def test_a_document_that_was_stored_is_found_within_seconds(
    engine: sa.Engine, database_url: str, store: FolderStore
) -> None:
    with indexing(database_url, store):
        kept(engine, "D1")
        until(lambda: bool(rows(engine, TEXTS)), 10)
    assert rows(engine, TEXTS) == [("小结\n高血压", None)]


def test_what_cannot_be_read_is_recorded_with_the_reason(engine: sa.Engine, indexer: Indexer) -> None:
    kept(engine, "D1", b"%PDF-1.4 broken", "application/pdf")
    kept(engine, "D2", b"\xff\xd8", "image/jpeg")
    kept(engine, "D3")
    assert indexer.once() == 3
    found = {problem and problem.partition(":")[0] for _, problem in rows(engine, TEXTS)}
    assert found == {"unreadable", "no_text", None}
    now = standing(engine)
    assert (now.indexed, now.pending, now.sound) == (3, 0, True)
    assert now.problems == {"no_text": 1, "unreadable": 1}


def test_nothing_is_lost_while_the_store_is_away(
    engine: sa.Engine, store: FolderStore, tmp_path: Path
) -> None:
    kept(engine, "D1")
    move(engine, store, lambda _done, _all: None)
    away = AwayStore(tmp_path)
    other = Indexer(engine.execution_options(**{STORE: away}), away)
    for _ in range(ATTEMPTS + 2):
        with pytest.raises(StoreAwayError):
            other.once()
    assert rows(engine, TEXTS) == []
    assert Indexer(engine, store).once() == 1
    assert rows(engine, TEXTS) == [("小结\n高血压", None)]


def test_a_content_that_is_lost_is_told(engine: sa.Engine, store: FolderStore, indexer: Indexer) -> None:
    kept(engine, "D1")
    move(engine, store, lambda _done, _all: None)
    store.remove(hashlib.sha256("高血压".encode()).digest())
    indexer.once()
    [(text, problem)] = rows(engine, TEXTS)
    assert (text, problem.partition(":")[0]) == ("小结\n", "lost")


def test_a_document_that_ends_the_process_is_given_up_and_holds_up_nobody(
    engine: sa.Engine, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(engine, "D1", b"kills")
    kept(engine, "D2")

    def read(self: Indexer, connection: sa.Connection, one: Any) -> Any:
        if one.sha256 == hashlib.sha256(b"kills").digest():
            raise SystemExit
        return text(self, connection, one)

    text = Indexer._text
    monkeypatch.setattr(Indexer, "_text", read)
    for _ in range(ATTEMPTS):
        with pytest.raises(SystemExit):
            indexer.once()
    while indexer.once():
        continue
    found = [(text, problem and problem.partition(":")[0]) for text, problem in rows(engine, TEXTS)]
    assert found == [("小结\n", "given_up"), ("小结\n高血压", None)]
    assert rebuild(indexer, lambda _done, _all: None).documents == 2
    assert standing(engine).problems == {"given_up": 1}
    with pytest.raises(SystemExit):
        rebuild(indexer, lambda _done, _all: None, again=True)
    rebuild(indexer, lambda _done, _all: None)
    assert standing(engine).problems == {"given_up": 1}
    monkeypatch.undo()
    rebuild(indexer, lambda _done, _all: None, again=True)
    assert standing(engine).problems == {}


def test_a_document_that_changes_while_it_is_read_is_read_again(engine: sa.Engine, indexer: Indexer) -> None:
    kept(engine, "D1")
    with engine.begin() as connection:
        assert len(rebuilding.page(connection, "recorded", None, 10)) == 1
    indexer.once()
    kept(engine, "D1", "低血压".encode())
    kept(engine, "D1", "血压正常".encode())
    assert indexer.once() == 2
    assert rows(engine, TEXTS) == [("小结\n血压正常", None)]


def test_a_corrected_title_or_kind_is_found_though_the_content_is_the_same(
    engine: sa.Engine, indexer: Indexer
) -> None:
    kept(engine, "D1", b"\xff\xd8", "image/jpeg")
    kept(engine, "D2", mime="image/png")
    indexer.once()
    kept(engine, "D1", b"\xff\xd8", "image/jpeg", title="心电图")
    kept(engine, "D2")
    indexer.once()
    assert rows(engine, "SELECT text FROM documents.text ORDER BY 1") == [("小结\n高血压",), ("心电图\n",)]
    kept(engine, "D2", title="出院记录")
    indexer.once()
    assert rows(engine, TEXTS)[0] == ("出院记录\n高血压", None)


def test_a_content_that_was_lost_and_came_again_is_read(
    engine: sa.Engine, store: FolderStore, indexer: Indexer
) -> None:
    content = "高血压".encode()
    kept(engine, "D1", content)
    move(engine, store, lambda _done, _all: None)
    store.remove(hashlib.sha256(content).digest())
    indexer.once()
    store.put(hashlib.sha256(content).digest(), content)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE records.document SET title = title"))
    indexer.once()
    assert rows(engine, TEXTS) == [("小结\n高血压", None)]


def test_what_did_not_change_is_not_read_again(
    engine: sa.Engine, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(engine, "D1")
    indexer.once()
    monkeypatch.setattr(Indexer, "_text", lambda *_: pytest.fail("it was read again"))
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE records.document SET at = at + interval '1 hour'"))
    assert indexer.once() == 1
    assert rows(engine, "SELECT t.at = d.at FROM documents.text t, records.document d") == [(True,)]


def test_a_rebuild_goes_on_where_it_was_stopped_and_takes_away_what_is_there_for_nothing(
    engine: sa.Engine, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        kept(engine, f"D{number}", f"高血压{number}".encode())
    indexer.once()
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE documents.text SET text = 'x', folded = 'x', tokens = '{x}'"))
        connection.execute(
            sa.text(
                "INSERT INTO documents.text SELECT gen_random_uuid(), source, patient_id, facility, at,"
                " sha256, problem, indexed_at, text, folded, tokens FROM documents.text LIMIT 1"
            )
        )
        connection.execute(
            sa.text(
                "DELETE FROM documents.text WHERE document_id ="
                " (SELECT id FROM records.document WHERE number = 'D4')"
            )
        )
    now = standing(engine)
    assert (now.missing, now.orphans, now.sound) in ((1, 1, False), (1, 2, False))
    monkeypatch.setattr(rebuilding_, "BATCH", 2)
    seen: list[int] = []

    def stop(done: int, _all: int) -> None:
        seen.append(done)
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(indexer, stop)
    done = rebuild(indexer, lambda done, _all: seen.append(done))
    assert seen == [2, 4, 5]
    assert (done.documents, done.resumed_at) == (5, 4)
    assert done.orphans >= 1
    assert [text for text, _ in rows(engine, TEXTS)] == [f"小结\n高血压{number}" for number in range(5)]
    assert standing(engine).sound
    assert rebuild(indexer, lambda _done, _all: None).resumed_at == 0, "a new one begins at the first"


def test_the_commands(
    engine: sa.Engine,
    indexer: Indexer,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("YILIAN_DATABASE_URL", database_url)
    monkeypatch.setenv("YILIAN_DOCUMENTS_STORE", str(tmp_path))
    monkeypatch.setenv("LANG", "C")
    kept(engine, "D1")
    kept(engine, "D2", "高血压病".encode())
    assert rebuild_main(["documents", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["documents"] == 2
    indexer.once()
    assert documents_main(["search", "高血压", "--why", "test", "--limit", "1", "--json"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert (page["total"], len(page["hits"])) == (2, 1)
    again = ["search", "高血压", "--why", "test", "--patient", "HP:P1", "--after", page["after"]]
    assert documents_main(again) == 0
    assert "【高血压】" in capsys.readouterr().out
    assert documents_main(["search", "高血压", "--why", "test", "--patient", "HP:P9"]) == 1
    nobody = "00000000-0000-0000-0000-000000000001"
    assert documents_main(["search", "高血压", "--why", "test", "--patient", nobody]) == 1
    assert documents_main(["search", "，", "--why", "test"]) == 1
    assert documents_main(["search", "高血压"]) == 2
    assert rebuild_main(["nothing"]) == 2
    assert documents_main(["check", "--json"]) == 0
    capsys.readouterr()
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM documents.text"))
    assert documents_main(["check"]) == 1
    assert "./yilian rebuild documents" in capsys.readouterr().out
    [(count,)] = rows(engine, "SELECT count(*) FROM access.audit WHERE action = 'document.search'")
    assert count == 2
