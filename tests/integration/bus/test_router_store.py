"""The router while the documents' store is away: documents wait and come in, and nothing else does."""

from __future__ import annotations

import shutil
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bus.envelope import Arrival
from bus.router.effects import Applied, Services
from bus.router.router import Router
from bus.rules.ruleset import RuleSet
from consortium.documents.content import ContentStore, FolderStore, StoreAwayError
from consortium.documents.upkeep import sweep
from consortium.errors import PermanentError
from consortium.records import query
from consortium.records.model import Change, Provenance
from consortium.records.query import STORE
from runtime.settings import CHECKOUT
from tests.integration.bus.clinic import engine_of, hl7, lab, rows, states, steps, store

OLD = datetime(2020, 1, 1, tzinfo=UTC)
TEXT = "出院小结：病情平稳。".encode() * 100


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return RuleSet.load(CHECKOUT / "rules")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of the store; it is not there, as a disk that is not mounted."""
    return tmp_path / "documents"


@pytest.fixture
def engine(database_url: str, folder: Path) -> Iterator[sa.Engine]:
    engine = engine_of(database_url)
    yield engine.execution_options(**{STORE: FolderStore(folder)})
    engine.dispose()


@pytest.fixture
def router(engine: sa.Engine, rules: RuleSet) -> Router:
    """Its clock stands in the past, so that what is put off is due at once."""
    return Router(engine, rules, Services(), clock=lambda: OLD)


def mdm(patient: str = "M1", number: str = "D1", text: bytes = TEXT) -> Arrival:
    txa = f"TXA|1|D02^出院小结|AP|20261120124900||||||||{number}"
    obx = f"OBX|1|ED|D02^出院小结||^application^PDF^Base64^{b64encode(text).decode()}"
    return hl7("MDM^T02", patient, sender="EMR", more=[txa, obx])


def contents(engine: sa.Engine) -> list[bytes]:
    with engine.connect() as connection:
        ids = connection.execute(sa.text("SELECT id FROM records.document ORDER BY number")).scalars().all()
        return [found.data for id_ in ids if (found := query.content(connection, id_))]


def test_a_document_waits_for_the_store_however_long_and_comes_in_when_it_is_back(
    router: Router, engine: sa.Engine, database_url: str, folder: Path
) -> None:
    known, waiting, result, other = store(database_url, hl7("ADT^A28"), mdm(), lab(), hl7("ADT^A28", "M2"))
    ids = [known, waiting, result, other]
    for _ in range(12):  # more often than a message that fails is tried
        router.answer(ids)
    assert states(database_url) == {waiting: 0}
    assert rows(database_url, "SELECT attempts, published_at FROM bus.work") == [(1, None)]
    assert steps(database_url, waiting) == ["retry"]
    assert rows(database_url, "SELECT number FROM records.report") == [("R1",)]  # a result need not wait
    assert rows(database_url, "SELECT count(*) FROM records.document") == [(0,)]
    assert rows(database_url, "SELECT count(*) FROM bus.held") == [(0,)]
    folder.mkdir()
    router.answer([waiting])
    assert states(database_url) == {}
    assert steps(database_url, waiting) == ["retry", "recorded"]
    assert contents(engine) == [TEXT]
    assert rows(database_url, "SELECT coding, length(content) FROM records.blob") == [("moved", 0)]


def test_while_it_waits_it_is_asked_for_more_and_more_seldom(
    engine: sa.Engine, rules: RuleSet, database_url: str
) -> None:
    [id_] = store(database_url, mdm())
    for waited, pause in ((2, 1), (60, 15), (7200, 60)):
        [(received,)] = rows(database_url, "SELECT received_at FROM bus.inbox")
        now = received + timedelta(seconds=waited)
        rows(database_url, "UPDATE bus.work SET not_before = NULL RETURNING id")
        Router(engine, rules, Services(), clock=lambda now=now: now).answer([id_])  # type: ignore[misc]
        assert rows(database_url, "SELECT not_before FROM bus.work") == [(now + timedelta(seconds=pause),)]


def test_what_keeps_the_patients_order_waits_behind_it(
    engine: sa.Engine, rules: RuleSet, database_url: str, folder: Path
) -> None:
    router = Router(engine, rules, Services(), clock=lambda: datetime.now(UTC) + timedelta(hours=1))
    known, waiting, visit, result = store(
        database_url, hl7("ADT^A28"), mdm(), hl7("ADT^A04", visit="V1"), lab()
    )
    router.answer([known, waiting, visit, result])
    assert states(database_url) == {waiting: 0, visit: 0}
    late = lab(number="R2")
    [later] = store(database_url, late)
    router.answer([later])  # another batch: those before are not due
    assert states(database_url) == {waiting: 0, visit: 0}
    assert rows(database_url, "SELECT number FROM records.report ORDER BY 1") == [("R1",), ("R2",)]
    folder.mkdir()
    rows(database_url, "UPDATE bus.work SET not_before = NULL RETURNING id")
    router.answer([waiting, visit])
    assert states(database_url) == {}
    assert rows(database_url, "SELECT number FROM records.encounter") == [("V1",)]


def test_a_document_is_not_taken_for_stored_when_the_commit_fails(
    engine: sa.Engine, rules: RuleSet, database_url: str, folder: Path
) -> None:
    folder.mkdir()

    class Ended(Services):
        """The process ends after the effects, before the commit."""

        def apply_many(
            self, connection: sa.Connection, changes: Sequence[tuple[Change, Provenance]]
        ) -> Sequence[Applied | PermanentError]:
            super().apply_many(connection, changes)
            connection.invalidate()
            raise sa.exc.OperationalError("COMMIT", None, ConnectionError(), connection_invalidated=True)

    [id_] = store(database_url, mdm())
    with pytest.raises(sa.exc.OperationalError):
        Router(engine, rules, Ended()).answer([id_])
    kept: ContentStore = FolderStore(folder)
    assert len(list(kept.all())) == 1
    assert rows(database_url, "SELECT count(*) FROM records.blob") == [(0,)]
    assert states(database_url) == {id_: 0}
    later = datetime.now(UTC) + timedelta(days=1)
    assert sweep(engine, kept, later, remove=True).orphans == 1
    Router(engine, rules, Services()).answer([id_])
    assert contents(engine) == [TEXT]


def test_a_store_that_fills_up_in_a_batch_keeps_what_was_whole_and_the_rest_waits(
    database_url: str, rules: RuleSet, folder: Path
) -> None:
    folder.mkdir()

    class Full(FolderStore):
        """Takes nothing of one of the patients."""

        def put(self, sha256: bytes, data: bytes) -> None:
            if data != TEXT:
                raise StoreAwayError("No space left on device")
            super().put(sha256, data)

    base = engine_of(database_url)
    engine = base.execution_options(**{STORE: Full(folder)})
    ids = store(database_url, mdm("M1", "D1"), hl7("ADT^A28", "M2"), mdm("M3", "D3", b"other"))
    router = Router(engine, rules, Services(), clock=lambda: OLD)
    router.answer(ids)
    assert states(database_url) == {ids[0]: 0, ids[2]: 0}  # the batch was begun again without documents
    router.answer(ids[:1])
    assert states(database_url) == {ids[2]: 0}
    shutil.rmtree(folder)
    folder.mkdir()
    Router(base.execution_options(**{STORE: FolderStore(folder)}), rules, Services()).answer(ids)
    assert states(database_url) == {}
    base.dispose()
