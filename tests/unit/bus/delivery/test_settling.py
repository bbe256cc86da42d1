"""Marks and outcomes are written together, and survive what they have to survive."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from bus.delivery.decide import Health, Outcome, State
from bus.delivery.kept import Kept
from bus.delivery.rows import Claim, NotOursError, Settled
from bus.delivery.settling import AwayError, Ended, Mark, Settling

AT = datetime(2026, 11, 24, tzinfo=UTC)
KEPT = Kept(b"digest", None)
TAKEN = Outcome(State.DELIVERED, Health.WELL, "AA", None)


class Table:
    """Rows as a test wants them: what was written, and what is ours no more."""

    def __init__(self) -> None:
        self.written: list[tuple[list[int], list[int]]] = []
        self.lost: set[int] = set()
        self.away = False

    async def settle(self, marks: Sequence[Mark], ended: Sequence[Ended]) -> Settled:
        await asyncio.sleep(0)
        if self.away:
            raise psycopg.OperationalError("the server went away")
        self.written.append(([m.claim.id for m in marks], [e.claim.id for e in ended]))
        ours = [m.claim.id for m in marks if m.claim.id not in self.lost]
        return Settled(dict.fromkeys(ours, AT), frozenset(e.claim.id for e in ended))


def claim(id_: int) -> Claim:
    return Claim(id_, id_ * 10, 1, 0, None)


def opened() -> tuple[Settling, Table, Any]:
    """Return what is tested, and the table twice: as it is looked at, and as `Rows`."""
    settling, table = Settling(), Table()
    settling.open()
    return settling, table, table


async def test_outcomes_and_the_next_marks_share_a_commit() -> None:
    settling, table, rows = opened()
    marks = [asyncio.create_task(settling.mark(claim(n), KEPT)) for n in (1, 2)]
    settling.end(claim(9), TAKEN, 0.1)
    await asyncio.sleep(0)
    await settling.write(rows)
    assert await asyncio.gather(*marks) == [AT, AT]
    assert table.written == [([1, 2], [9])]
    assert not settling
    await settling.write(rows)
    assert len(table.written) == 1


async def test_one_that_was_taken_away_is_told_so() -> None:
    settling, table, rows = opened()
    table.lost = {1}
    mark = asyncio.create_task(settling.mark(claim(1), KEPT))
    await asyncio.sleep(0)
    await settling.write(rows)
    with pytest.raises(NotOursError):
        await mark


async def test_a_database_that_is_away_lets_nothing_go_out_and_loses_no_outcome() -> None:
    settling, table, rows = opened()
    table.away = True
    mark = asyncio.create_task(settling.mark(claim(1), KEPT))
    settling.end(claim(9), TAKEN, 0.1)
    await asyncio.sleep(0)
    with pytest.raises(psycopg.OperationalError):
        await settling.write(rows)
    with pytest.raises(AwayError):
        await mark
    assert settling.unwritten() == {9}
    settling.close()
    with pytest.raises(AwayError):
        await settling.mark(claim(2), KEPT)
    table.away = False
    await settling.write_all(rows)
    assert table.written == [([], [9])]


async def test_a_mark_that_was_given_up_is_not_written_after_its_outcome() -> None:
    settling, table, rows = opened()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await settling.mark(claim(1), KEPT)
    settling.end(claim(1), Outcome(State.QUEUED, Health.AWAY, "unreachable", None), None)
    await settling.write(rows)
    assert table.written == [([], [1])]


async def test_those_that_wait_when_it_is_closed_fail() -> None:
    settling, table, _ = opened()
    mark = asyncio.create_task(settling.mark(claim(1), KEPT))
    await asyncio.sleep(0)
    settling.close()
    with pytest.raises(AwayError):
        await mark
    assert not settling
    assert table.written == []
