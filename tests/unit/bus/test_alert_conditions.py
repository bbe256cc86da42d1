"""When an alert is raised and when it is cleared."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bus.alerts.conditions import Limits, Reading, State, Turn, readings, turn
from bus.gateways import Gateway
from bus.gauges import Unmapped


def gateway(silent: float = 3.0, spooled: int = 0, oldest: float = 0.0) -> Gateway:
    """A gateway that was heard of so many seconds ago."""
    seen = datetime(2026, 11, 24, tzinfo=UTC)
    return Gateway("ns-front", ["NS"], seen, silent, seen, spooled, oldest, "", "1", {})


WELL = State(
    queue_age=0.5,
    unmapped=[Unmapped("MAIN", "sex", 3, 9, 1)],
    silent_processes={"relay": 2.0},
    errors=[("MAIN", 100, 1), ("HY", 3, 3)],
    silence=[("MAIN", 60.0), ("HY", 7000.0)],
    disk_used=0.5,
    gateways=[gateway(spooled=9, oldest=30.0)],
)
LIMITS = Limits(processes=("relay",), silence_of={"HY": 0})


def bad(state: State, limits: Limits = LIMITS) -> list[tuple[str, str]]:
    return [(r.name, r.subject) for r in readings(state, limits) if turn(r, open_=False) is Turn.RAISE]


def test_a_bus_that_is_well_raises_nothing() -> None:
    assert bad(WELL) == []


@pytest.mark.parametrize(
    ("state", "raised"),
    [
        (replace(WELL, queue_age=121.0), ("queue_age", "")),
        (replace(WELL, errors=[("MAIN", 100, 21)]), ("error_rate", "MAIN")),
        (replace(WELL, silence=[("MAIN", 3601.0)]), ("silence", "MAIN")),
        (
            replace(WELL, unmapped=[Unmapped("HP", "a", 3, 9, 3), Unmapped("HP", "b", 3, 9, 3)]),
            ("unmapped", "HP"),
        ),
        (replace(WELL, silent_processes={"relay": 31.0}), ("process", "relay")),
        (replace(WELL, gateways=[gateway(silent=601.0)]), ("gateway", "ns-front")),
        (replace(WELL, gateways=[gateway(silent=3.0, spooled=9, oldest=601.0)]), ("gateway", "ns-front")),
        (replace(WELL, disk_used=0.91), ("disk", "")),
    ],
)
def test_each_trouble_raises_its_own(state: State, raised: tuple[str, str]) -> None:
    assert bad(state) == [raised]


def test_a_threshold_of_nothing_is_not_watched() -> None:
    trouble = State(
        9e9,
        [Unmapped("HP", "a", 9, 9, 99)],
        {"relay": 9e9},
        [("HP", 99, 99)],
        [("HP", 9e9)],
        1.0,
        [gateway(9e9)],
    )
    off = Limits(0, 0, 0, {}, 0, 0, ("relay",), 0, 0)
    assert readings(trouble, off) == []


@pytest.mark.parametrize(
    ("value", "open_", "expected"),
    [
        (100.0, False, Turn.NONE),
        (100.1, False, Turn.RAISE),
        (100.1, True, Turn.KEEP),
        (90.0, True, Turn.KEEP),
        (80.0, True, Turn.CLEAR),
        (90.0, False, Turn.NONE),
    ],
)
def test_it_does_not_come_and_go_around_its_threshold(value: float, open_: bool, expected: Turn) -> None:
    assert turn(Reading("queue_age", "", value, 100.0, ""), open_=open_) is expected
