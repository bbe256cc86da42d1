"""A bad line: nothing is lost, nothing happens twice, the order holds."""

from __future__ import annotations

import shutil

import psycopg

from adapters.gateway import hub
from adapters.gateway.agent import Agent, started
from tests.contract.adapters.test_inbound import away
from tests.gateways import Place
from tests.integration.adapters.gateway.conftest import Rows, adt, send, until
from tests.integration.adapters.gateway.proxy import proxied

IDS = "SELECT control_id FROM bus.inbox ORDER BY id"


def ids(first: int, last: int) -> list[str]:
    return [f"C{n:04d}" for n in range(first, last + 1)]


def numbered(first: int, last: int) -> list[bytes]:
    return [adt(one) for one in ids(first, last)]


def arrived(rows: Rows) -> list[str]:
    return [row[0] for row in rows(IDS)]


async def drained(agent: Agent) -> None:
    await until(lambda: agent.level.count == 0, 60)


async def test_what_comes_while_the_hub_refuses_connections_arrives_in_order_once(
    place: Place, rows: Rows
) -> None:
    async with proxied(place.hub_port) as line, place.running(to=line.port) as (_, agent):
        await line.down()
        assert set(await send(place.mllp_port, *numbered(1, 150))) == {"AA"}
        assert agent.level.count == 150
        await until(lambda: agent.pending.line().state == "unreachable")
        assert arrived(rows) == []
        await line.up()
        assert set(await send(place.mllp_port, *numbered(151, 160))) == {"AA"}
        await drained(agent)
        assert agent.pending.line().state == "up"
    assert arrived(rows) == ids(1, 160)


async def test_what_comes_while_the_line_swallows_everything_arrives_in_order_once(
    place: Place, rows: Rows
) -> None:
    line_settings = {"first_wait": 0.05, "longest_wait": 0.2, "answer_seconds": 0.5, "connect_seconds": 0.5}
    async with (
        proxied(place.hub_port) as line,
        place.running(to=line.port, line=line_settings) as (_, agent),
    ):
        await send(place.mllp_port, *numbered(1, 1))
        await drained(agent)
        line.black_hole = True
        assert set(await send(place.mllp_port, *numbered(2, 60))) == {"AA"}
        await until(lambda: agent.pending.line().state in {"no_answer", "unreachable"})
        assert arrived(rows) == ids(1, 1)
        line.black_hole = False
        line.cut()
        await drained(agent)
    assert arrived(rows) == ids(1, 60)


async def test_a_batch_whose_answer_was_lost_is_sent_again_without_a_second_effect(
    place: Place, rows: Rows
) -> None:
    line_settings = {"first_wait": 0.05, "longest_wait": 0.2, "answer_seconds": 0.5, "batch_messages": 7}
    async with (
        proxied(place.hub_port) as line,
        place.running(to=line.port, line=line_settings) as (_, agent),
    ):
        await until(lambda: agent.pending.line().state == "up")
        line.swallow_answers = True
        await send(place.mllp_port, *numbered(1, 40))
        await until(lambda: line.swallowed and arrived(rows))
        assert agent.level.count == 40
        line.swallow_answers = False
        line.cut()
        await drained(agent)
    assert arrived(rows) == ids(1, 40)
    assert rows("SELECT count(*) FROM bus.trace") == [(40,)]


async def test_a_hub_whose_database_is_away_confirms_nothing_and_goes_on_later(
    place: Place, rows: Rows, database_url: str
) -> None:
    async with place.running() as (_, agent):
        with away(database_url):
            assert set(await send(place.mllp_port, *numbered(1, 20))) == {"AA"}
            await until(lambda: agent.pending.line().state == "unavailable")
            assert agent.level.count == 20
        await drained(agent)
    assert arrived(rows) == ids(1, 20)


async def test_both_sides_start_again_and_go_on_where_they_stopped(place: Place, rows: Rows) -> None:
    async with started(place.agent()) as alone:
        await send(place.mllp_port, *numbered(1, 30))
        assert alone.level.count == 30
    async with hub.opened(place.hub()), started(place.agent()) as agent:
        await drained(agent)
        await send(place.mllp_port, *numbered(21, 40))
        await drained(agent)
    assert arrived(rows) == ids(1, 40)
    assert rows("SELECT position FROM bus.gateway_spool") == [(40,)]


async def test_a_hub_that_forgot_is_sent_what_is_kept_without_a_second_effect(
    place: Place, rows: Rows, database_url: str
) -> None:
    async with place.running() as (_, agent):
        await send(place.mllp_port, *numbered(1, 10))
        await drained(agent)
        with psycopg.connect(database_url, autocommit=True) as connection:  # as a restored backup does
            connection.execute("DELETE FROM bus.gateway_spool")
            connection.execute("DELETE FROM bus.work WHERE id > 5")
            connection.execute("DELETE FROM bus.inbox WHERE id > 5")
        await send(place.mllp_port, *numbered(11, 12))
        await drained(agent)
    assert arrived(rows) == ids(1, 12)


async def test_a_gap_that_cannot_be_filled_stops_the_line_until_a_person_decides(
    place: Place, rows: Rows, database_url: str
) -> None:
    spool = {"folder": place.folder / "spool", "free_mib": 0, "keep_hours": 1e-9}
    async with place.running(spool=spool) as (_, agent):
        await send(place.mllp_port, *numbered(1, 10))
        await drained(agent)
        while agent.pending.prune():
            pass
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("DELETE FROM bus.gateway_spool")
        await send(place.mllp_port, *numbered(11, 12))
        await until(lambda: agent.pending.line().state == "gap")
        assert agent.level.count == 2
        assert arrived(rows) == ids(1, 10)
        assert agent.pending.renew(everything=True) == 2
        await drained(agent)
    assert arrived(rows) == ids(1, 12)


async def test_an_older_copy_of_the_spool_loses_nothing_and_repeats_nothing(place: Place, rows: Rows) -> None:
    folder, copy = place.folder / "spool", place.folder / "copy"
    async with started(place.agent()):
        await send(place.mllp_port, *numbered(1, 10))
    shutil.copytree(folder, copy)
    async with place.running() as (_, agent):
        await send(place.mllp_port, *numbered(11, 20))
        await drained(agent)
    shutil.rmtree(folder)
    copy.rename(folder)  # as a machine that is put back to yesterday
    async with started(place.agent()):
        await send(place.mllp_port, *numbered(31, 50))
    async with place.running() as (_, agent):
        await drained(agent)
    assert arrived(rows) == [*ids(1, 20), *ids(31, 50)]
    assert rows("SELECT count(*) FROM bus.gateway_spool") == [(2,)]


async def test_the_hub_hears_how_the_gateway_is_even_when_nothing_comes(place: Place, rows: Rows) -> None:
    seen = "SELECT last_seen, spooled, detail, campuses, last_message FROM bus.gateway"
    async with place.running() as (served, _):
        # The first word may come before its doors are open.
        await until(lambda: any("mllp-front" in detail.get("doors", {}) for _, _, detail, *_ in rows(seen)))
        [(first, spooled, detail, campuses, message)] = rows(seen)
        assert (spooled, campuses, message) == (0, ["HP", "NS"], None)
        assert detail["doors"]["mllp-front"]["accepted"] == 0
        await until(lambda: rows(seen)[0][0] > first)
        assert served.detail()["ns-front"]["spooled"] == 0
