"""Mapping an unknown code lets go on exactly what waited for it, in order and once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from bus.broker import Ring
from bus.codes.mapping import Mapped, map_code, tables_in_force
from bus.codes.worklist import Unmapped, worklist
from bus.memory import MemoryBroker
from bus.router.effects import Applied, Services
from bus.router.router import Router
from bus.rules.ruleset import RuleSet
from consortium.errors import ConflictError, PermanentError
from consortium.records.model import Change, Provenance
from consortium.terminology import maps, subscribers
from consortium.terminology.errors import BusyError, UnknownMapError
from runtime.settings import CHECKOUT
from tests.integration.bus.clinic import engine_of, hl7, lab, rows, states, steps, store
from tests.integration.bus.test_router_loop import routing, until

RULES = CHECKOUT / "rules"
WHY = "信息科确认，见代码表第3版"
SEX_X = maps.Mapping("sex", "MAIN", "X", "unknown", None, None)


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = engine_of(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def router(engine: sa.Engine) -> Router:
    return Router(engine, RuleSet.load(RULES), Services())


def map_sex(engine: sa.Engine, wanted: maps.Mapping = SEX_X, rules: Path = RULES) -> Mapped:
    return map_code(engine, rules, ["MAIN", "HP"], wanted, by="chen", why=WHY)


def listed(engine: sa.Engine, facility: str | None = None, table: str | None = None) -> list[Unmapped]:
    with engine.connect() as connection:
        tables = tables_in_force(connection, RULES)
        return worklist(connection, tables, facility=facility, code_table=table)


def test_the_worklist_says_how_many_wait_for_each_code(
    router: Router, database_url: str, engine: sa.Engine
) -> None:
    ids = store(
        database_url,
        hl7("ADT^A28", "M1", sex="X"),
        hl7("ADT^A04", "M1", visit="V1"),
        hl7("ADT^A28", "M2", sex="X"),
        hl7("ADT^A28", "M3", sex="Q"),
    )
    router.answer(ids)
    found = [
        (c.facility, c.code_table, c.code, c.seen, c.held, c.behind, c.mapped_to) for c in listed(engine)
    ]
    assert found == [("MAIN", "sex", "X", 2, 2, 1, None), ("MAIN", "sex", "Q", 1, 1, 0, None)]
    assert listed(engine, "HP") == listed(engine, table="departments") == []


def test_mapping_a_code_releases_what_waited_for_it_and_nothing_else(
    router: Router, database_url: str, engine: sa.Engine
) -> None:
    bad, visit, other, unlike = store(
        database_url,
        hl7("ADT^A28", "M1", sex="X"),
        hl7("ADT^A04", "M1", visit="V1"),
        hl7("ADT^A28", "M2", sex="X"),
        hl7("ADT^A28", "M3", sex="Q"),
    )
    router.answer([bad, visit, other, unlike])
    done = map_sex(engine)
    assert done.released == [bad, other]
    assert states(database_url) == {bad: 0, visit: 0, other: 0, unlike: 1}
    router.answer([bad, visit, other])
    assert states(database_url) == {unlike: 1}
    assert rows(database_url, "SELECT number, sex FROM identity.source_patient ORDER BY 1") == [
        ("M1", "female"),  # the visit behind it says so
        ("M2", "unknown"),
    ]
    assert steps(database_url, bad) == ["held", "released", "replayed", "recorded"]
    assert rows(database_url, "SELECT DISTINCT released_by FROM bus.held WHERE released_at IS NOT NULL") == [
        ("chen",)
    ]
    assert [code.code for code in listed(engine)] == ["Q"]


def test_mapping_it_again_changes_nothing_and_releases_what_a_crash_left(
    router: Router, database_url: str, engine: sa.Engine
) -> None:
    ids = store(database_url, hl7("ADT^A28", sex="X"))
    router.answer(ids)
    with engine.begin() as connection:  # as if the program had ended before it released anything
        maps.wait_for_batches(connection)
        maps.add(connection, SEX_X, by="chen", why=WHY)
    assert [(code.mapped_to, code.held) for code in listed(engine)] == [("unknown", 1)]
    again = map_sex(engine)
    assert again.released == ids
    router.answer(ids)
    assert map_sex(engine) == Mapped(None, [])
    assert steps(database_url, ids[0]) == ["held", "released", "replayed", "recorded"]


async def test_a_running_router_takes_a_mapping_in_without_a_restart(
    database_url: str, engine: sa.Engine
) -> None:
    broker = MemoryBroker(1)
    bad, visit, result = store(
        database_url, hl7("ADT^A28", sex="X"), hl7("ADT^A04", visit="V1"), lab(number="R1")
    )
    with routing(database_url, broker):
        await broker.publisher().publish([Ring(each, 0) for each in (bad, visit, result)])
        until(lambda: states(database_url) == {bad: 1, visit: 2, result: 2})
        map_sex(engine)
        for _ in range(2):  # the relay may ring twice
            await broker.publisher().publish([Ring(each, 0) for each in (bad, visit, result)])
        until(lambda: states(database_url) == {})
    assert [steps(database_url, each).count("recorded") for each in (bad, visit, result)] == [1, 1, 1]
    order = rows(
        database_url, "SELECT message_id FROM bus.trace WHERE step = 'recorded' ORDER BY at, message_id"
    )
    assert [id_ for (id_,) in order] == [bad, visit, result]


def test_what_is_being_decided_while_a_code_is_mapped_is_released_too(
    router: Router, database_url: str, engine: sa.Engine
) -> None:
    """A batch that began before holds the message; who maps waits for it and then finds the message."""
    ids = store(database_url, hl7("ADT^A28", sex="X"))
    begun, go_on = threading.Event(), threading.Event()

    original = maps.after

    def paused(connection: sa.Connection, id_: int) -> list[maps.MapEntry]:
        found = original(connection, id_)
        begun.set()
        assert go_on.wait(20)
        return found

    done: list[Mapped] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maps, "after", paused)
        batch = threading.Thread(target=router.answer, args=(ids,))
        batch.start()
        assert begun.wait(20)
        person = threading.Thread(target=lambda: done.append(map_sex(engine)))
        person.start()
        until(lambda: waits_for_batches(database_url))
        go_on.set()
        batch.join(20)
        person.join(20)
    assert done[0].released == ids
    router.answer(ids)
    assert states(database_url) == {}


def test_what_was_decided_in_a_pass_that_is_begun_again_is_decided_anew(
    database_url: str, engine: sa.Engine
) -> None:
    """Between the passes of a batch somebody maps the code: nobody would release what is held afterwards."""

    class Troubled(Services):
        troubled = False

        def apply_many(
            self, connection: sa.Connection, changes: Sequence[tuple[Change, Provenance]]
        ) -> Sequence[Applied | PermanentError]:
            if not self.troubled:
                self.troubled = True
                raise ZeroDivisionError
            return super().apply_many(connection, changes)

    passes, original = [], maps.hold_still

    def between(connection: sa.Connection) -> None:
        passes.append(1)
        if len(passes) == 2:
            map_sex(engine)
        original(connection)

    ids = store(database_url, hl7("ADT^A28", "M1"), hl7("ADT^A28", "M2", sex="X"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maps, "hold_still", between)
        Router(engine, RuleSet.load(RULES), Troubled()).answer(ids)
    assert len(passes) == 2
    assert states(database_url) == {}
    assert steps(database_url, ids[1]) == ["recorded"]


def waits_for_batches(url: str) -> bool:
    query = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND NOT granted"
    )
    return rows(url, query) == [(1,)]


def test_who_maps_does_not_wait_for_ever(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps, "PATIENCE", "50ms")
    with engine.begin() as batch:
        maps.hold_still(batch)
        with pytest.raises(BusyError, match="try again"):
            map_sex(engine)


def test_a_code_mapped_wrongly_is_mapped_anew_and_both_are_kept(
    router: Router, database_url: str, engine: sa.Engine
) -> None:
    map_sex(engine)
    map_sex(engine, maps.Mapping("sex", "MAIN", "X", "other", None, None))
    ids = store(database_url, hl7("ADT^A28", sex="X"))
    router.answer(ids)
    assert rows(database_url, "SELECT sex FROM identity.source_patient") == [("other",)]
    with engine.connect() as connection:
        kept = maps.history(connection, "sex", "MAIN", "X")
    assert [(e.target, e.mapped_by, e.why) for e in kept] == [
        ("unknown", "chen", WHY),
        ("other", "chen", WHY),
    ]
    with (
        psycopg.connect(database_url) as direct,
        pytest.raises(psycopg.errors.RaiseException, match="append"),
    ):
        direct.execute("UPDATE terminology.map_entry SET target = 'male'")


@pytest.mark.parametrize(
    ("wanted", "error", "said"),
    [
        (maps.Mapping("sex", "MAIN", "M", "female", None, None), ConflictError, "change it there"),
        (maps.Mapping("sex", "MAIN", "X", "femal", None, None), UnknownMapError, "female, male"),
        (maps.Mapping("sex", "ZZ", "X", "male", None, None), UnknownMapError, "no campus ZZ"),
        (maps.Mapping("seks", "MAIN", "X", "male", None, None), UnknownMapError, "no table seks"),
        (maps.Mapping("sex", "MAIN", " ", "male", None, None), UnknownMapError, "the code must be"),
        (maps.Mapping("sex", "MAIN", "X" * 200, "male", None, None), UnknownMapError, "the code must be"),
    ],
)
def test_what_cannot_be_mapped_is_refused_by_name(
    engine: sa.Engine, wanted: maps.Mapping, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        map_sex(engine, wanted)


def test_a_new_target_needs_its_name(engine: sa.Engine) -> None:
    wanted = maps.Mapping("departments", "MAIN", "0999", "0999", "疼痛科", None)
    assert map_sex(engine, wanted).entry is not None
    with engine.connect() as connection:
        found = tables_in_force(connection, RULES)["departments"].find("MAIN", "0999", date(2026, 1, 1))
    assert found is not None
    assert (found.code, found.name) == ("0999", "疼痛科")


def test_subscribers_are_told_of_a_mapping_once(database_url: str, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        subscribers.subscribe(connection, "main-his", ["code-map"], "chen")
        subscribers.subscribe(connection, "hp-emr", ["department"], "chen")
    map_sex(engine)
    map_sex(engine)
    found = rows(database_url, "SELECT destination, dedupe_key, payload ->> 'target' FROM bus.outbox")
    assert found == [("master-data:main-his", "map:1", "unknown")]


def test_a_meaning_that_ended_holds_a_later_message_until_the_next_is_mapped(
    router: Router, database_url: str, engine: sa.Engine
) -> None:
    map_sex(engine, replace(SEX_X, valid_to=date(2026, 11, 19)))
    ids = store(database_url, hl7("ADT^A28", sex="X"))  # of the 20th
    router.answer(ids)
    [(reason,)] = rows(database_url, "SELECT reason FROM bus.held WHERE released_at IS NULL")
    assert "but to 2026-11-19 (unknown); map it" in reason
    done = map_sex(engine, replace(SEX_X, target="other", valid_from=date(2026, 11, 20), owner="病案室"))
    assert done.released == ids
    router.answer(ids)
    assert rows(database_url, "SELECT sex FROM identity.source_patient") == [("other",)]
    with engine.connect() as connection:
        assert len(maps.current(connection, "sex")) == 2
        table = tables_in_force(connection, RULES)["sex"]
    found = [table.find("MAIN", "X", date(2026, 11, day)) for day in (19, 20)]
    assert [(target.code, target.owner) for target in found if target] == [
        ("unknown", None),
        ("other", "病案室"),
    ]


def test_subscribers_are_told_of_days_relationship_and_owner(database_url: str, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        subscribers.subscribe(connection, "lis", ["code-map"], "chen")
    map_sex(engine, replace(SEX_X, valid_from=date(2026, 1, 1), relationship="wider"))
    [(told,)] = rows(database_url, "SELECT payload FROM bus.outbox WHERE destination = 'master-data:lis'")
    assert (told["valid_from"], told["valid_to"]) == ("2026-01-01", None)
    assert (told["relationship"], told["owner"]) == ("wider", "MAIN")
