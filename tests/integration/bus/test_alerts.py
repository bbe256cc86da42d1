"""Alerts on a real database: raised once, cleared once, and listed; how people are told is test_telling."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.types.json import Jsonb

from bus import gauges, tending
from bus.alerts import console, store
from bus.alerts.conditions import Limits, Reading
from bus.delivery import control
from bus.finding import Filters
from bus.replay import run
from bus.replay.ledger import Who
from consortium.errors import ConflictError
from runtime import settings
from runtime.settings import Settings
from runtime.tended import tended
from tests.integration.bus.clinic import KEY, engine_of, hl7, lab, states
from tests.integration.bus.clinic import store as send_in
from tests.integration.bus.delivery.queue import enqueue, messages


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = engine_of(database_url)
    yield engine
    engine.dispose()


def settled(
    engine: sa.Engine, *readings: Reading, channels: tuple[str, ...] = ()
) -> tuple[list[int], list[int]]:
    with engine.begin() as connection:
        return store.settle(connection, readings, channels)


def queue(seconds: float) -> Reading:
    return Reading("queue_age", "", seconds, 100.0, f"waited {seconds} s")


def test_an_alert_is_raised_once_and_cleared_once(engine: sa.Engine, database_url: str) -> None:
    assert settled(engine, queue(50)) == ([], [])
    [id_], _ = settled(engine, queue(101))
    assert settled(engine, queue(150)) == ([], [])
    with engine.connect() as connection:
        [open_] = store.alerts(connection)
    assert (open_.id, open_.value, open_.detail) == (id_, 150.0, "waited 150 s")
    assert settled(engine, queue(90)) == ([], [])
    assert settled(engine, queue(10)) == ([], [id_])
    assert settled(engine, queue(10)) == ([], [])
    again, _ = settled(engine, queue(200))
    assert again != [id_]
    assert settled(engine) == ([], again)
    with engine.connect() as connection:
        assert store.alerts(connection) == []
        assert [one.id for one in store.alerts(connection, every=True)] == [*again, id_]


def test_who_takes_care_is_noted_once(engine: sa.Engine) -> None:
    [id_], _ = settled(engine, queue(101))
    with engine.begin() as connection:
        store.acknowledge(connection, id_, "ops", "正在处理")
        store.acknowledge(connection, id_, "ops", "again")
        with pytest.raises(ConflictError, match="ops"):
            store.acknowledge(connection, id_, "engineer", "")
        found = store.alert(connection, id_)
    assert found is not None
    assert (found.acknowledged_by, found.note) == ("ops", "正在处理")


def test_a_look_sees_a_dead_process_an_old_queue_and_a_silent_campus(
    engine: sa.Engine, database_url: str, tmp_path: Path
) -> None:
    now = [0.0]
    limits = Limits(processes=("relay", "router"), disk_free=0.0)
    watch = tending.Watch(engine, tending.Tended(database_url, KEY, tmp_path, limits), lambda: now[0])
    send_in(database_url, lab("M1"))
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE bus.inbox SET received_at = now() - interval '2 hours'")
        connection.execute(
            "INSERT INTO bus.heartbeat (name, pid, at) VALUES ('relay', 1, now() - interval '1 minute')"
        )
    assert watch.look()
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE bus.system_position SET marker_at = '-infinity'")
    now[0] = 29.0
    assert watch.look()
    assert open_(engine) == {("process", "relay"), ("queue_age", ""), ("silence", "MAIN")}
    now[0] = 31.0
    assert watch.look()
    assert ("process", "router") in open_(engine)
    with engine.begin() as connection:
        connection.execute(tending.TAKE, {"lock": tending.LOCK})
        assert not watch.look()


def test_a_store_that_is_away_is_told_until_a_router_stores_again(
    engine: sa.Engine, database_url: str, tmp_path: Path
) -> None:
    watch = tending.Watch(engine, tending.Tended(database_url, KEY, tmp_path, Limits(disk_free=0.0)))
    beat = "INSERT INTO bus.heartbeat (name, pid, detail) VALUES ('router', 1, %s)"
    again = "UPDATE bus.heartbeat SET detail = %s"
    away = {gauges.AWAY_SECONDS: 31.5, gauges.AWAY_REASON: "No space left on device", "held": 0}
    for said, detail, told in (
        (beat, away | {gauges.AWAY_SECONDS: 3.0}, False),
        (again, away, True),
        (again, {"held": 0}, False),
    ):
        with psycopg.connect(database_url) as connection:
            connection.execute(said.encode(), [Jsonb(detail)])
        assert watch.look()
        assert (("documents_store", "") in open_(engine)) is told
    with engine.connect() as connection:
        [one] = store.alerts(connection, every=True)
    assert "for 32 s no document could be stored: No space left on device" in one.detail


def open_(engine: sa.Engine) -> set[tuple[str, str]]:
    with engine.connect() as connection:
        return {(one.name, one.subject) for one in store.alerts(connection)}


def test_a_look_costs_no_more_when_more_came(engine: sa.Engine, database_url: str) -> None:
    send_in(database_url, *(hl7("ADT^A28", f"M{n}") for n in range(50)))
    with engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL track_functions = 'pl'"))
        assert gauges.errors(connection, 600.0) == [("MAIN", 50, 0, 0)]
        asked = "SELECT calls FROM pg_stat_xact_user_functions WHERE funcname = 'inbox_at'"
        assert connection.execute(sa.text(asked)).scalar_one() == 1, (
            "the bound is sought once, not for each row"
        )


def test_refusals_count_by_campus_even_where_nothing_was_taken(engine: sa.Engine, database_url: str) -> None:
    send_in(database_url, lab("M1"))
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO bus.refusal (endpoint, peer, protocol, facility, code, reason, size, body, at)"
            " SELECT 'test', '', 'mllp', f, 'missing_field', 'a reason', 0, '', now() - age FROM (VALUES"
            " ('MAIN', interval '1 minute'), ('HP', '2 minutes'), ('HP', '1 hour'), (NULL, '1 minute'))"
            " AS given (f, age)"
        )
    with engine.connect() as connection:
        assert gauges.errors(connection, 600.0) == [("HP", 0, 0, 1), ("MAIN", 1, 0, 1)]


def test_a_look_sees_a_destination_in_trouble_and_its_end(
    engine: sa.Engine, database_url: str, tmp_path: Path
) -> None:
    limits = Limits(disk_free=0.0, queue_seconds=0.0)
    watch = tending.Watch(engine, tending.Tended(database_url, KEY, tmp_path, limits))
    enqueue(database_url, "ward-b", *messages(3))
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO bus.heartbeat (name, pid, detail) VALUES ('delivery', 1, %s)",
            ['{"ward-b": {"breaker": "half_open"}, "ward-c": {"breaker": "standby"}}'],
        )
        connection.execute("UPDATE bus.delivery SET queued_at = now() - interval '1 hour'")
    assert watch.look()
    trouble = {("destination_age", "ward-b"), ("destination_breaker", "ward-b")}
    assert open_(engine) == trouble
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE bus.delivery SET state = 'parked', code = 'AR'")
    assert watch.look()
    assert open_(engine) == {("destination_stuck", "ward-b"), ("destination_breaker", "ward-b")}
    with engine.begin() as connection:
        for id_ in control.stuck_ids(connection, "ward-b"):
            control.resend(connection, id_, "ops", "mended")
    with psycopg.connect(database_url) as connection:
        connection.execute('UPDATE bus.heartbeat SET detail = \'{"ward-b": {"breaker": "closed"}}\'')
    assert watch.look()
    assert open_(engine) == set(), "what is resent waits since then"
    with engine.connect() as connection:
        told = [one.detail for one in store.alerts(connection, every=True)]
    assert not any("M1" in detail or "王" in detail for detail in told)


def test_a_replay_begun_elsewhere_is_driven(engine: sa.Engine, database_url: str, tmp_path: Path) -> None:
    ids = send_in(database_url, hl7("ADT^A31", "M1"), hl7("ADT^A31", "M2"))
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE bus.work SET state = 1")
        connection.execute(
            "INSERT INTO bus.held (message_id, code, reason) SELECT id, 'no_rule', 'x' FROM bus.work"
        )
    one = tending.Tended(database_url, KEY, tmp_path)
    assert not tending.replays(engine, one)
    run.start(engine, Filters(code="no_rule"), Who("ops", "mended"))
    assert tending.replays(engine, one)
    assert states(database_url) == dict.fromkeys(ids, 0)
    assert not tending.replays(engine, one)


def test_the_console_lists_what_is_open(
    engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(settings, "load", lambda: Settings(database_url=database_url))
    settled(engine, queue(101))
    assert console.alerts_main(["list", "--json"]) == 0
    [shown] = json.loads(capsys.readouterr().out)["alerts"]
    assert (shown["name"], shown["cleared_at"]) == ("queue_age", None)
    assert console.alerts_main(["list"]) == 0
    assert "waited 101" in capsys.readouterr().out
    assert console.alerts_main(["nonsense"]) == 2


def test_the_settings_say_what_is_watched() -> None:
    one = tended(Settings(alert_silence={"HY": 5}, alert_webhook="http://127.0.0.1:1/", alert_disk_free=0.2))
    assert (one.limits.patience("HY"), one.limits.patience("MAIN")) == (300, 3600)
    assert list(one.channels) == ["webhook"]
    assert one.limits.disk_free == 0.2
    off = tended(Settings(alert_destination_seconds=60, alert_stuck=0, alert_breakers=False)).limits
    assert (off.destination_seconds, off.stuck, off.breakers) == (60, 0, False)
