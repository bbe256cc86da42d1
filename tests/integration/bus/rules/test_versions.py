"""Rule sets in PostgreSQL: stored whole, activated by an append-only ledger, taken up between two batches."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from bus.router.effects import Services
from bus.router.router import Router
from bus.rules.ruleset import InvalidRulesError, RuleSet
from bus.rules.versions import service, store
from bus.rules.versions.folder import compiled, digest_of, laid_out
from bus.rules.versions.model import Action, Files, RefusedRulesError, UnknownVersionError
from bus.rules.versions.shelf import AGAIN, NotLoadedError, Shelf
from consortium.errors import ConflictError, PermanentError
from tests.integration.bus.clinic import engine_of, lab, rows, states
from tests.integration.bus.clinic import store as take
from tests.integration.bus.rules.sets import numbered

ONE, TWO, THREE = (digest_of(numbered(number)) for number in (1, 2, 3))


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = engine_of(database_url)
    yield engine
    engine.dispose()


def active(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        return store.active_digest(connection)


def deploy(engine: sa.Engine, *numbers: int) -> None:
    for number in numbers:
        service.deploy(engine, numbered(number), "chen", f"number {number}")


def shelf_of(engine: sa.Engine) -> Shelf:
    shelf = Shelf(engine)
    shelf.open()
    return shelf


def test_a_set_is_stored_whole_and_named_in_the_ledger(engine: sa.Engine) -> None:
    outcome = service.deploy(engine, numbered(1), "chen", "the first one")
    assert (outcome.digest, outcome.previous) == (ONE, None)
    with engine.connect() as connection:
        assert store.files(connection, ONE) == numbered(1)
        version = store.version(connection, ONE)
        [line] = store.ledger(connection)
    assert (version.author, version.note, version.rules, version.tests) == ("chen", "the first one", 1, 1)
    assert (line.digest, line.action, line.author) == (ONE, Action.DEPLOY, "chen")


def test_bytes_that_are_no_text_come_back_as_they_were(engine: sa.Engine) -> None:
    files = {**numbered(1), "campuses/main/珅.hl7": "王珅".encode("gb18030")}
    digest = service.deploy(engine, files, "chen").digest
    with engine.connect() as connection:
        assert store.files(connection, digest) == files


def test_what_is_deployed_already_changes_nothing(engine: sa.Engine) -> None:
    deploy(engine, 1)
    assert service.deploy(engine, numbered(1), "li").activation is None
    with engine.connect() as connection:
        assert len(store.ledger(connection)) == 1


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (numbered(1, expected="other"), "expected 'other', got 'v1'"),
        (numbered(1, codes="facility,code\n"), "the first line must be facility,code,target,name,system"),
        ({"codes/panels.csv": b"facility,code,target,name,system\n"}, "there is no rule file"),
    ],
)
def test_a_set_with_a_mistake_is_refused_and_not_stored(engine: sa.Engine, files: Files, said: str) -> None:
    deploy(engine, 2)
    with pytest.raises(RefusedRulesError, match=said):
        service.deploy(engine, files, "chen")
    assert active(engine) == TWO
    with engine.connect() as connection:
        assert [version.digest for version in store.versions(connection)] == [TWO]


def test_a_rollback_goes_to_the_one_before_or_to_any_stored(engine: sa.Engine) -> None:
    deploy(engine, 1, 2, 3)
    assert service.rollback(engine, "previous", "li").digest == TWO
    assert service.rollback(engine, ONE[:12], "li", "back to the start").previous == TWO
    with engine.connect() as connection:
        ledger = store.ledger(connection)
    assert [line.digest for line in ledger] == [ONE, TWO, THREE, TWO, ONE]
    assert [line.action for line in ledger[:3]] == [Action.ROLLBACK, Action.ROLLBACK, Action.DEPLOY]


def test_a_name_that_is_nobodys_is_refused(engine: sa.Engine) -> None:
    with pytest.raises(PermanentError, match="no rule set is active yet"):
        service.rollback(engine, "previous", "li")
    deploy(engine, 1)
    with pytest.raises(UnknownVersionError, match="nothing to go back to"):
        service.rollback(engine, "previous", "li")
    for name in ("0000", "xy", "%%%%"):
        with pytest.raises(UnknownVersionError):
            service.rollback(engine, name, "li")


def test_two_people_do_not_undo_each_others_work(engine: sa.Engine) -> None:
    deploy(engine, 1, 2)
    with pytest.raises(ConflictError, match=TWO[:12]):
        service.deploy(engine, numbered(3), "chen", expected=ONE)
    assert active(engine) == TWO


@pytest.mark.parametrize("table", ["rule_version", "rule_file", "rule_activation"])
@pytest.mark.parametrize(
    "statement", ["DELETE FROM bus.{}", "UPDATE bus.{} SET digest = ''", "TRUNCATE bus.{} CASCADE"]
)
def test_what_was_is_never_rewritten(engine: sa.Engine, table: str, statement: str) -> None:
    deploy(engine, 1)
    with engine.begin() as connection, pytest.raises(sa.exc.ProgrammingError, match="append-only"):
        connection.execute(sa.text(statement.format(table)))


def test_a_fresh_database_takes_the_set_of_the_checkout_once(engine: sa.Engine) -> None:
    with laid_out(numbered(1)) as first, laid_out(numbered(2)) as second:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: service.ensure_first(engine, first), range(4)))
        service.ensure_first(engine, second)
    with engine.connect() as connection:
        [line] = store.ledger(connection)
    assert (line.digest, line.action, line.author) == (ONE, Action.INITIAL, "yilian")


def test_a_broken_checkout_is_not_taken(engine: sa.Engine) -> None:
    with laid_out(numbered(1, expected="other")) as folder, pytest.raises(RefusedRulesError):
        service.ensure_first(engine, folder)
    assert active(engine) is None


def test_a_running_router_takes_the_new_set_with_its_next_batch(engine: sa.Engine, database_url: str) -> None:
    deploy(engine, 1)
    router = Router(engine, shelf_of(engine), Services())
    for number in (1, 2, 3):
        deploy(engine, number)
        router.answer(take(database_url, lab(number=f"R{number}")))
    service.rollback(engine, "previous", "li")
    router.answer(take(database_url, lab(number="R4")))
    found = rows(
        database_url,
        "SELECT t.detail ->> 'rules', r.conclusion FROM bus.trace t JOIN records.report r USING (message_id)"
        " WHERE t.step = 'recorded' ORDER BY message_id",
    )
    assert found == [(ONE[:12], "v1"), (TWO[:12], "v2"), (THREE[:12], "v3"), (TWO[:12], "v2")]


def test_a_held_message_says_which_set_held_it(engine: sa.Engine, database_url: str) -> None:
    none = "facility,code,target,name,system\nMAIN,X,v{number},,\n"
    rule = numbered(1, codes=none)["campuses/main/lab.yaml"].split(b"tests:")[0]
    outcome = service.deploy(engine, {**numbered(1, codes=none), "campuses/main/lab.yaml": rule}, "chen")
    Router(engine, shelf_of(engine), Services()).answer(take(database_url, lab()))
    assert rows(database_url, "SELECT detail ->> 'rules' FROM bus.trace WHERE step = 'held'") == [
        (outcome.digest[:12],)
    ]


class Doomed:
    """Compiles, but not the sets that are named; counts."""

    def __init__(self, *digests: str) -> None:
        self.digests = digests
        self.tried: list[str] = []

    def __call__(self, files: Files) -> RuleSet:
        self.tried.append(digest_of(files))
        if digest_of(files) in self.digests:
            raise InvalidRulesError("out of luck")
        return compiled(files)


def test_a_set_that_cannot_be_loaded_leaves_the_old_one_in_use_and_shows(
    engine: sa.Engine, database_url: str
) -> None:
    now, doomed = [0.0], Doomed(TWO)
    deploy(engine, 1)
    shelf = Shelf(engine, compile_set=doomed, clock=lambda: now[0])
    shelf.open()
    router = Router(engine, shelf, Services())
    deploy(engine, 2)
    for number in ("R1", "R2"):
        router.answer(take(database_url, lab(number=number)))
    assert rows(database_url, "SELECT DISTINCT conclusion FROM records.report") == [("v1",)]
    assert rows(database_url, "SELECT DISTINCT detail ->> 'rules' FROM bus.trace") == [(ONE[:12],)]
    assert shelf.detail() == {"rules": ONE[:12], "rules_not_loaded": TWO[:12]}
    assert doomed.tried == [ONE, TWO]
    doomed.digests = ()
    now[0] = AGAIN
    router.answer(take(database_url, lab(number="R3")))
    assert rows(database_url, "SELECT conclusion FROM records.report WHERE number = 'R3'") == [("v2",)]
    assert shelf.detail() == {"rules": TWO[:12], "rules_not_loaded": ""}
    assert states(database_url) == {}


def test_a_start_looks_back_for_a_set_that_can_be_loaded(engine: sa.Engine) -> None:
    deploy(engine, 1, 2, 3)
    shelf = Shelf(engine, compile_set=Doomed(TWO, THREE))
    shelf.open()
    assert shelf.detail() == {"rules": ONE[:12], "rules_not_loaded": " ".join(sorted([TWO[:12], THREE[:12]]))}
    with pytest.raises(PermanentError, match="no deployed rule set can be loaded"):
        Shelf(engine, compile_set=Doomed(ONE, TWO, THREE)).open()


def test_threads_that_need_the_same_set_compile_it_once(engine: sa.Engine) -> None:
    deploy(engine, 1)
    doomed = Doomed()
    shelf = Shelf(engine, compile_set=doomed)
    shelf.open()
    deploy(engine, 2)
    together = threading.Barrier(4)

    def take_up(_: int) -> object:
        with engine.connect() as connection:
            together.wait(timeout=20)
            try:
                return shelf.current(connection)
            except NotLoadedError as error:
                shelf.load(error.digest)
            return shelf.current(connection)

    with ThreadPoolExecutor(4) as pool:
        assert len(set(map(id, pool.map(take_up, range(4))))) == 1
    assert doomed.tried == [ONE, TWO]


def test_the_checkouts_own_set_can_be_deployed(engine: sa.Engine) -> None:
    from runtime.settings import CHECKOUT

    service.ensure_first(engine, Path(CHECKOUT / "rules"))
    assert shelf_of(engine).detail()["rules"] == (active(engine) or "")[:12]
