"""Retention on a real PostgreSQL: the old goes, the unfinished stays, and what is gone is told as such."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from bus import bodies, held
from bus.delivery.transport import Outgoing, SentForm
from bus.finding import Filters
from bus.forms import CurrentRules, forms
from bus.journal import search
from bus.journey import journey
from bus.replay import edit, one
from bus.replay.ledger import Who
from bus.retention import partitions
from bus.retention import rows as aged
from bus.retention.decide import Keep, beginning, today
from bus.retention.run import BusyError, Gone, plan, run
from bus.router.effects import Services
from bus.router.router import Router
from bus.rules.message import NoMessageError, from_inbox
from bus.rules.ruleset import RuleSet
from bus.rules.versions import traffic
from bus.rules.versions.backtest import Tally, backtest
from runtime.settings import CHECKOUT
from tests.integration.bus.clinic import KEY, engine_of, hl7, lab, rows, store

NOW = datetime.now(UTC)
KEEP = Keep(bodies=30, traces=60, index=90)
CHEN = Who("chen", "a test")


def as_it_is(_destination: str, message: Outgoing) -> SentForm:
    """Make nothing of what is queued."""
    return message.as_it_is


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = engine_of(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return RuleSet.load(CHECKOUT / "rules")


def age(url: str, ids: list[int], days: int) -> None:
    """Let messages, and what happened to them, be so many days older."""
    with psycopg.connect(url) as connection:
        for back in range(days - 1, days + 2):
            connection.execute("SELECT bus.make_body_day(%s)", [today(NOW - timedelta(days=back))])
        for query in (
            "UPDATE bus.body SET received_at = received_at - %(by)s WHERE id = ANY(%(ids)s)",
            "UPDATE bus.inbox SET received_at = received_at - %(by)s WHERE id = ANY(%(ids)s)",
            "UPDATE bus.trace SET at = at - %(by)s WHERE message_id = ANY(%(ids)s)",
        ):
            connection.execute(query, {"by": timedelta(days=days), "ids": ids})


def go(engine: sa.Engine, now: datetime = NOW, keep: Keep = KEEP) -> dict[str, int]:
    """Run once; returns what was dropped by kind."""
    counts: dict[str, int] = {}
    for gone in run(engine, keep, now):
        assert gone.put_off is None
        counts[gone.what] = counts.get(gone.what, 0) + gone.count
    return {what: count for what, count in counts.items() if count}


def whole(url: str) -> list[int]:
    """Return the messages that have their body."""
    return [id_ for (id_,) in rows(url, "SELECT id FROM bus.body ORDER BY id")]


def test_a_days_bodies_go_and_what_is_not_finished_keeps_its_body(
    engine: sa.Engine, database_url: str, rules: RuleSet
) -> None:
    done, bad, waiting, delivered, parked, told, unrouted, young = store(
        database_url,
        hl7("ADT^A28", "M1"),
        hl7("ADT^A28", "M2", sex="X"),
        hl7("ADT^A31", "M2"),
        *[hl7("ADT^A28", f"N{n}") for n in range(5)],
    )
    Router(engine, rules, Services()).answer([done, bad, waiting, delivered, parked, told, young])
    with psycopg.connect(database_url) as connection:
        for id_, state, at in ((delivered, "delivered", NOW), (parked, "parked", None)):
            connection.execute(
                "INSERT INTO bus.delivery (destination, message_id, patient_key, form, state, done_at)"
                " VALUES ('ward', %s, 1, 'raw', %s, %s)",
                (id_, state, at and at - timedelta(days=40)),
            )
        connection.execute(
            "INSERT INTO bus.outbox (message_id, destination, dedupe_key, payload)"
            " VALUES (%s, 'workflow', 'k', '{}')",
            [told],
        )
    age(database_url, [done, bad, waiting, delivered, parked, told, unrouted], 40)
    with engine.connect() as connection:
        found = plan(connection, KEEP, NOW)
    assert sum(going.unfinished.bodies for going in found.going) == 5
    assert whole(database_url) == [done, bad, waiting, delivered, parked, told, unrouted, young]

    assert go(engine) == {"bodies": 2, "deliveries": 1}
    assert whole(database_url) == [bad, waiting, parked, told, unrouted, young]
    assert rows(database_url, "SELECT count(*) FROM bus.inbox") == [(8,)]
    logged = "SELECT sum(dropped)::int, sum(spared)::int FROM bus.retention WHERE what = 'bodies'"
    assert rows(database_url, logged) == [(2, 5)]
    assert rows(database_url, "SELECT count(*) FROM bus.body_kept") == [(5,)]
    assert go(engine) == {}

    # A held one goes on after its day is gone, and so does what waited behind it.
    with engine.begin() as connection:
        mend = "UPDATE bus.body SET body = replace(encode(body, 'escape'), '|X', '|F')::bytea WHERE id = :id"
        connection.execute(sa.text(mend), {"id": bad})
    assert one.release(engine, bad, CHEN) == [bad, waiting]
    Router(engine, rules, Services()).answer([bad, waiting])
    assert rows(database_url, "SELECT id FROM bus.work ORDER BY id") == [(unrouted,)]
    assert go(engine) == {"kept_bodies": 2}
    assert whole(database_url) == [parked, told, unrouted, young]
    with engine.connect() as connection:
        [at] = rows(database_url, "SELECT received_at FROM bus.inbox WHERE id = %s", bad)[0]
        dropped = bodies.dropped_at(connection, bad, at)
    assert dropped is not None
    assert dropped > NOW


@pytest.fixture
def gone(engine: sa.Engine, database_url: str, rules: RuleSet) -> int:
    """A message whose body was dropped."""
    [id_] = store(database_url, hl7("ADT^A28", "M1", control_id="GONE"))
    Router(engine, rules, Services()).answer([id_])
    age(database_url, [id_], 40)
    assert go(engine) == {"bodies": 1}
    return id_


def test_a_message_without_body_is_found_and_shown(engine: sa.Engine, gone: int) -> None:
    told = f"the body of message {gone} was dropped on {datetime.now().astimezone():%Y-%m-%d} by retention"
    with engine.connect() as connection:
        [entry] = search(connection, Filters(patient_number="M1")).entries
        assert entry.size > 0
        way = journey(connection, str(gone))
        assert way is not None
        assert [step.step for step in way.steps] == ["recorded"]
        assert (way.body, way.body_dropped or "") == ("", way.body_dropped)
        assert (way.body_dropped or "").startswith(told)
        shown = forms(connection, str(gone), CurrentRules(CHECKOUT / "rules"), as_it_is)
        assert shown is not None
        assert (shown.raw, shown.decision, shown.size) == (b"", None, entry.size)
        assert (shown.body_dropped or "").startswith(told)
        with pytest.raises(NoMessageError, match="was dropped"):
            from_inbox(connection, gone)


def test_a_message_without_body_cannot_go_again(engine: sa.Engine, database_url: str, gone: int) -> None:
    with pytest.raises(held.NotHeldError, match="was dropped"):
        one.replay(engine, gone, CHEN, KEY)
    with pytest.raises(held.NotHeldError, match="was dropped"):
        edit.edit(engine, gone, hl7("ADT^A28", "M1", control_id="GONE").body, CHEN, KEY)
    assert rows(database_url, "SELECT count(*) FROM bus.work") == [(0,)]
    assert rows(database_url, "SELECT count(*) FROM bus.replay") == [(0,)]


def test_a_backtest_says_of_how_many_nothing_can_be_said(
    engine: sa.Engine, database_url: str, gone: int, rules: RuleSet
) -> None:
    store(database_url, hl7("ADT^A28", "M2"))
    tally = Tally()
    reach = traffic.span(engine, NOW - timedelta(days=100))
    for _ in backtest(traffic.read(engine, reach), rules, rules, tally):
        pass
    assert (tally.read, tally.dropped, tally.different) == (2, 1, 0)


def test_a_control_id_is_known_when_the_body_and_its_day_are_gone(
    engine: sa.Engine, database_url: str, rules: RuleSet
) -> None:
    sent = hl7("ADT^A28", "M1", control_id="SAME")
    [first] = store(database_url, sent)
    Router(engine, rules, Services()).answer([first])
    age(database_url, [first], 2)
    assert go(engine, keep=Keep(bodies=1, traces=60, index=90)) == {"bodies": 1}
    assert store(database_url, sent) == [first]
    [other] = store(database_url, sent._replace(body=b"x", digest=b"y" * 32))
    assert rows(database_url, "SELECT code FROM bus.held WHERE message_id = %s", other) == [
        ("control_id_conflict",)
    ]


def test_traces_go_before_index_rows_and_those_with_all_that_is_theirs(
    engine: sa.Engine, database_url: str, rules: RuleSet
) -> None:
    report, row, bad, later = store(
        database_url,
        lab("M1"),
        hl7("ADT^A28", "M4")._replace(protocol="tables"),
        hl7("ADT^A28", "M2", sex="X"),
        hl7("ADT^A28", "M3"),
    )
    Router(engine, rules, Services()).answer([report, row, bad, later])
    age(database_url, [report, row, bad], 70)
    assert go(engine) == {"bodies": 2, "traces": 2}
    assert rows(database_url, "SELECT DISTINCT message_id FROM bus.trace ORDER BY 1") == [(bad,), (later,)]
    assert rows(database_url, "SELECT id FROM bus.inbox ORDER BY 1") == [(report,), (row,), (bad,), (later,)]
    assert rows(database_url, "SELECT DISTINCT message_id FROM bus.numbered") == [(report,)]
    assert go(engine, NOW + timedelta(days=25)) == {"index_rows": 1}
    assert rows(database_url, "SELECT id FROM bus.inbox ORDER BY 1") == [(row,), (bad,), (later,)]
    assert rows(database_url, "SELECT count(*) FROM bus.numbered") == [(0,)]
    assert whole(database_url) == [bad, later]


def test_refusals_lose_their_bytes_and_then_go(engine: sa.Engine, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        for days in (40, 100, 0):
            connection.execute(
                "INSERT INTO bus.refusal (at, protocol, endpoint, peer, code, reason, size, body)"
                " VALUES (%s, 'mllp', 'mllp', 'peer', 'framing', 'why', 3, 'abc')",
                [NOW - timedelta(days=days)],
            )
    assert go(engine) == {"refused_bodies": 2, "refusals": 1}
    assert rows(database_url, "SELECT id, body FROM bus.refusal ORDER BY id") == [(1, None), (3, b"abc")]
    with engine.connect() as connection:
        way = journey(connection, "r1")
        shown = forms(connection, "r1", CurrentRules(CHECKOUT / "rules"), as_it_is)
    assert way is not None
    assert shown is not None
    assert way.body_dropped == shown.body_dropped == bodies.REFUSED


def test_a_run_that_was_killed_half_way_goes_on(
    engine: sa.Engine, database_url: str, rules: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aged, "CHUNK", 2)
    ids = store(database_url, *[hl7("ADT^A28", f"M{n}") for n in range(5)])
    Router(engine, rules, Services()).answer(ids)
    age(database_url, ids[:2], 101)
    age(database_url, ids[2:], 100)
    first = run(engine, KEEP, NOW)
    assert next(first).what == "bodies"
    first.close()
    second = run(engine, KEEP, NOW)
    taken: list[Gone] = []
    while sum(gone.count for gone in taken if gone.what == "index_rows") < 2:
        taken.append(next(second))
    second.close()
    left = [id_ for (id_,) in rows(database_url, "SELECT id FROM bus.inbox ORDER BY 1")]
    assert left == ids[2:]
    assert rows(database_url, "SELECT count(*) FROM bus.trace") == [(0,)]
    assert go(engine) == {"index_rows": 3}
    assert rows(database_url, "SELECT what, sum(dropped)::int FROM bus.retention GROUP BY 1 ORDER BY 1") == [
        ("bodies", 5),
        ("index_rows", 5),
        ("traces", 5),
    ]


def test_one_runs_at_a_time_and_a_reader_puts_a_drop_off(
    engine: sa.Engine, database_url: str, rules: RuleSet
) -> None:
    ids = store(database_url, hl7("ADT^A28", "M1"))
    Router(engine, rules, Services()).answer(ids)
    age(database_url, ids, 40)
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM bus.message")
        running = run(engine, KEEP, NOW)
        put_off = [gone for gone in running if gone.put_off]
        assert [gone.what for gone in put_off] == ["bodies"] * len(put_off)
        assert put_off
    assert whole(database_url) == ids
    running = run(engine, KEEP, NOW)
    next(running)
    with pytest.raises(BusyError):
        next(run(engine, KEEP, NOW))
    assert not [gone for gone in running if gone.put_off]
    assert whole(database_url) == []


def test_what_came_while_no_partition_was_there_is_taken_in_and_moved(
    engine: sa.Engine, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        for (name,) in connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'bus.body'::regclass"
            " AND inhrelid <> 'bus.body_kept'::regclass"
        ).fetchall():
            connection.execute(f"DROP TABLE {name}".encode())
    ids = store(database_url, hl7("ADT^A28", "M1"))
    assert rows(database_url, "SELECT count(*) FROM bus.body_kept") == [(1,)]
    made = partitions.make_ahead(engine, NOW)
    assert made[0] == today(NOW)
    assert rows(database_url, "SELECT count(*) FROM bus.body_kept") == [(0,)]
    assert whole(database_url) == ids
    low = beginning(made[0])
    with engine.connect() as connection:
        [stored] = bodies.read(
            connection, [(ids[0], rows(database_url, "SELECT received_at FROM bus.inbox")[0][0])]
        )
    assert stored.body is not None
    assert stored.received_at >= low


def test_the_command_tells_and_does_it(
    database_url: str, engine: sa.Engine, rules: RuleSet, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from bus.console import messages_main
    from runtime import settings

    monkeypatch.setenv("YILIAN_DATABASE_URL", database_url)
    settings.load.cache_clear()
    ids = store(database_url, hl7("ADT^A28", "M1"))
    Router(engine, rules, Services()).answer(ids)
    age(database_url, ids, 100)
    assert messages_main(["retention", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["keep_days"] == {"bodies": 90, "traces": 365, "index": 1095}
    assert [going["unfinished"]["bodies"] for going in said["going"]] == [0] * len(said["going"])
    assert messages_main(["retention", "--dry-run"]) == 0
    assert "dropped by the next run" in capsys.readouterr().out
    assert whole(database_url) == ids
    assert messages_main(["retention", "--apply"]) == 0
    assert "1 dropped" in capsys.readouterr().out
    assert whole(database_url) == []
    assert messages_main(["show", str(ids[0])]) == 0
    assert "by retention" in capsys.readouterr().out
    settings.load.cache_clear()
