"""The check and the sweep of the documents' store, over a real database and folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bus.cda.console import documents_main
from consortium.documents import stored
from consortium.documents.content import FolderStore, key_of
from consortium.documents.stored import Stored
from consortium.documents.upkeep import check, sweep
from consortium.errors import RetryableError
from runtime import settings

OURS = "1.2.156.10011.99.0.1"
NOW = datetime(2026, 11, 25, tzinfo=UTC)
LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(database_url.replace("postgresql://", "postgresql+psycopg://", 1))
    yield engine
    engine.dispose()


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def put(engine: sa.Engine, store: FolderStore, *contents: bytes) -> list[bytes]:
    names = [hashlib.sha256(content).digest() for content in contents]
    rows = [
        Stored(f"1.2.{content.hex()}", OURS, name, len(content), "text/plain", NOW)
        for name, content in zip(names, contents, strict=True)
    ]
    with engine.begin() as connection:
        stored.hold(connection)
        for name, content in zip(names, contents, strict=True):
            store.put(name, content)
        stored.keep(connection, rows)
    return names


def test_a_check_tells_what_is_missing_and_damaged(
    engine: sa.Engine, store: FolderStore, tmp_path: Path
) -> None:
    first, second, _ = put(engine, store, b"1", b"2", b"3")
    seen: list[tuple[int, int]] = []
    assert check(engine, store, OURS, lambda done, all_: seen.append((done, all_))).sound
    (tmp_path / key_of(first)).unlink()
    (tmp_path / key_of(second)).write_bytes(b"damaged")
    report = check(engine, store, OURS, lambda done, all_: None)
    assert (report.contents, report.missing, report.damaged) == (3, ["1.2.31"], ["1.2.32"])
    assert not report.sound


def test_a_sweep_removes_what_nothing_names_and_is_old_enough(engine: sa.Engine, store: FolderStore) -> None:
    [named] = put(engine, store, b"named")
    orphan = hashlib.sha256(b"orphan").digest()
    store.put(orphan, b"orphan")
    assert sweep(engine, store, NOW - timedelta(days=9), remove=True).orphans == 0
    found = sweep(engine, store, LATER, remove=False)
    assert (found.orphans, store.has(orphan)) == (1, True)
    assert sweep(engine, store, LATER, remove=True).orphans == 1
    assert (store.has(orphan), store.has(named)) == (False, True)


def test_a_sweep_gives_way_to_a_submission_that_is_under_way(engine: sa.Engine, store: FolderStore) -> None:
    content, name = b"the same again", hashlib.sha256(b"the same again").digest()
    store.put(name, content)
    with engine.begin() as connection:
        stored.hold(connection)
        store.put(name, content)  # there already: nothing is written
        with pytest.raises(RetryableError):
            sweep(engine, store, LATER, remove=True, patience=0.1)
        stored.keep(connection, [Stored("1.2.3", OURS, name, len(content), "text/plain", NOW)])
    assert sweep(engine, store, LATER, remove=True).orphans == 0
    assert store.get(name) == content


def test_the_command(
    engine: sa.Engine,
    database_url: str,
    store: FolderStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("YILIAN_DATABASE_URL", database_url)
    monkeypatch.setenv("YILIAN_DOCUMENTS_STORE", str(tmp_path))
    monkeypatch.setenv("YILIAN_TOKEN_KEY", "x")
    settings.load.cache_clear()
    [name] = put(engine, store, b"1")
    store.put(hashlib.sha256(b"orphan").digest(), b"orphan")
    try:
        assert documents_main(["check", "--sweep", "--older-than", "-24", "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["contents"], said["sound"], said["swept"]["orphans"]) == (1, True, 1)
        (tmp_path / key_of(name)).unlink()
        assert documents_main(["check"]) == 1
        assert "1.2.31" in capsys.readouterr().out
    finally:
        settings.load.cache_clear()
