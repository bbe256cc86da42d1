"""Whatever moment a process ends at, the next one goes on with exactly one effect."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import psycopg
import pytest

from adapters.files.intake import Book
from adapters.files.place import Place
from tests.integration.adapters.files.conftest import Desk, ids, ledger, refusals
from tests.unit.adapters.files.reading import csv_source

SOURCE = csv_source(complete="rename", page=2)


class KilledError(Exception):
    """Stands for the end of the process."""


def killed_at(target: object, name: str, count: int, *, after: bool) -> None:
    """Make a method end the process at its call number `count`, before or after it acted."""
    real: Callable[..., object] = getattr(target, name)
    calls = iter(range(1, 1000))

    def dying(*arguments: object) -> object:
        last = next(calls) == count
        if last and not after:
            raise KilledError
        result = real(*arguments)
        if last:
            raise KilledError
        return result

    setattr(target, name, dying)


MOMENTS = [
    ("place", "move", 1, True),  # claimed
    ("ledger", "begin", 1, True),  # noted, nothing stored
    ("ledger", "store", 1, True),  # one page stored
    ("ledger", "store", 2, False),
    ("ledger", "store", 3, True),  # all stored, not finished
    ("ledger", "finish", 1, True),  # finished, not moved
    ("place", "move", 2, False),
    ("place", "move", 2, True),  # moved, and not noted
    ("ledger", "moved", 1, True),
]


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda m: f"{m[1]}-{m[2]}-{'after' if m[3] else 'before'}")
def test_a_kill_at_any_moment_leaves_one_effect(
    desk: Desk, database: psycopg.Connection, moment: tuple[str, str, int, bool]
) -> None:
    whose, method, count, after = moment
    desk.drop.rows("a.csv", "1,P1,a", "2,P2,b", "bad", "4,P4,d", "5,P5,e")
    poller = desk.poller(SOURCE)
    parts: dict[str, Place | Book] = {"place": desk.place, "ledger": poller._ledger}
    killed_at(parts[whose], method, count, after=after)
    with closing(poller._ledger), pytest.raises(KilledError):
        poller.cycle()
    vars(desk.place).pop("move", None)
    desk.run(SOURCE)
    assert ids(database) == ["1@1", "2@1", "4@1", "5@1"]
    assert refusals(database) == [("wrong_number_of_fields", "a.csv:4")]
    assert ledger(database, "a.csv") == ("taken", 5, 4, 0, [3], 1, True)
    assert (desk.drop.names, desk.drop.tree("claimed"), desk.drop.tree("archive")) == ([], [], ["a.csv"])
    assert database.execute("SELECT count(*) FROM bus.trace").fetchone() == (4,)
    desk.drop.rows("a.csv", "1,P1,a", "2,P2,b", "bad", "4,P4,d", "5,P5,e")
    assert desk.run(SOURCE) == ["again"]
    assert ids(database) == ["1@1", "2@1", "4@1", "5@1"]


@pytest.mark.parametrize("moment", [("ledger", "finish", 1, True), ("place", "write", 1, True)])
def test_a_kill_while_a_file_is_rejected_leaves_it_rejected_once(
    desk: Desk, database: psycopg.Connection, moment: tuple[str, str, int, bool]
) -> None:
    whose, method, count, after = moment
    desk.drop.put("a.csv", "a,b\n")
    poller = desk.poller(SOURCE)
    parts: dict[str, Place | Book] = {"place": desk.place, "ledger": poller._ledger}
    killed_at(parts[whose], method, count, after=after)
    with closing(poller._ledger), pytest.raises(KilledError):
        poller.cycle()
    vars(desk.place).pop("write", None)
    assert desk.run(SOURCE) == ["rejected"]
    assert refusals(database) == [("missing_column", "a.csv")]
    assert desk.drop.tree("reject") == ["a.csv", "a.csv.reason"]


def test_a_stop_between_pages_goes_on_there(desk: Desk, database: psycopg.Connection) -> None:
    desk.drop.rows("a.csv", *[f"{n},P{n},a" for n in range(10)])
    poller = desk.poller(SOURCE)
    store = poller._ledger.store

    def stopping(*arguments):
        counts = store(*arguments)
        desk.stop.set()
        return counts

    poller._ledger.store = stopping  # type: ignore[method-assign]
    with closing(poller._ledger):
        assert [taken.outcome for taken in poller.cycle()] == ["stopped"]
    assert ledger(database, "a.csv")[:2] == ("reading", 2)
    desk.stop.clear()
    assert desk.run(SOURCE) == ["archived"]
    assert len(ids(database)) == 10
    assert ledger(database, "a.csv") == ("taken", 10, 10, 0, [], 1, True)


def test_a_file_of_the_name_of_one_that_is_claimed_waits_for_it(
    desk: Desk, database: psycopg.Connection
) -> None:
    desk.drop.rows("a.csv", "1,P1,a")
    desk.place.move("a.csv", "claimed/a.csv")  # and then the process was killed
    desk.drop.rows("a.csv", "1,P1,b")
    assert desk.run(SOURCE) == ["archived", "archived"]
    assert ids(database) == ["1@1", "1@2"]
    assert desk.drop.tree("archive") == ["a.csv", "a.csv"]


def test_only_one_process_reads_a_source(desk: Desk, database: psycopg.Connection) -> None:
    first, second = desk.poller(SOURCE), desk.poller(SOURCE)
    with closing(first._ledger), closing(second._ledger):
        first.cycle()
        second.attempt()
        assert second.detail()["reason"] == "another process reads this source: only one may"
    assert second.attempt() == SOURCE.interval
    second._ledger.close()
