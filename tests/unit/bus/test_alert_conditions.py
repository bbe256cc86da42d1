"""When an alert is raised and when it is cleared."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bus.alerts.conditions import Limits, Reading, State, Turn, readings, turn
from bus.delivery.control import Mode
from bus.delivery.figures import Standing
from bus.gateways import Gateway
from bus.gauges import StoreAway, Unmapped
from bus.master_data.standing import Unhanded
from bus.notifying.figures import Stuck


def gateway(silent: float = 3.0, spooled: int = 0, oldest: float = 0.0) -> Gateway:
    """A gateway that was heard of so many seconds ago."""
    seen = datetime(2026, 11, 24, tzinfo=UTC)
    return Gateway("ns-front", ["NS"], seen, silent, seen, spooled, oldest, "", "1", {})


WELL = State(
    queue_age=0.5,
    unmapped=[Unmapped("MAIN", "sex", 3, 9, 1)],
    silent_processes={"relay": 2.0},
    errors=[("MAIN", 99, 1, 1), ("HY", 3, 3, 16)],
    silence=[("MAIN", 60.0), ("HY", 7000.0)],
    disk_used=0.5,
    gateways=[gateway(spooled=9, oldest=30.0)],
    destinations=[Standing("ward-b", oldest=3.0, open=False), Standing("old", mode=Mode.PAUSED)],
    subscribers=[Unhanded("his", "main-his", 9.0)],
    store_away=StoreAway(3.0, "full"),
    notifications_late=[("sms", 30.0)],
    schedule_to_start=[("yilian workflow", 0.1), ("yilian-campus activity", 9.0)],
    documents_used=0.5,
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
        (
            replace(WELL, schedule_to_start=[("yilian workflow", 10.1)]),
            ("workflow_wait", "yilian workflow"),
        ),
        (replace(WELL, errors=[("MAIN", 100, 21, 0)]), ("error_rate", "MAIN")),
        (replace(WELL, errors=[("MAIN", 90, 11, 10)]), ("error_rate", "MAIN")),
        (replace(WELL, errors=[("MAIN", 0, 0, 20)]), ("error_rate", "MAIN")),
        (replace(WELL, silence=[("MAIN", 3601.0)]), ("silence", "MAIN")),
        (
            replace(WELL, unmapped=[Unmapped("HP", "a", 3, 9, 3), Unmapped("HP", "b", 3, 9, 3)]),
            ("unmapped", "HP"),
        ),
        (replace(WELL, silent_processes={"relay": 31.0}), ("process", "relay")),
        (replace(WELL, gateways=[gateway(silent=601.0)]), ("gateway", "ns-front")),
        (replace(WELL, gateways=[gateway(silent=3.0, spooled=9, oldest=601.0)]), ("gateway", "ns-front")),
        (replace(WELL, disk_used=0.91), ("disk", "")),
        (replace(WELL, documents_used=0.91), ("disk", "documents")),
        (replace(WELL, store_away=StoreAway(31.0, "full")), ("documents_store", "")),
        (replace(WELL, destinations=[Standing("ward-b", oldest=601.0)]), ("destination_age", "ward-b")),
        (replace(WELL, destinations=[Standing("ward-b", stuck=1)]), ("destination_stuck", "ward-b")),
        (replace(WELL, notifications_stuck=[Stuck("sms", 1, 1)]), ("notification_stuck", "sms")),
        (replace(WELL, notifications_late=[("sms", 601.0)]), ("notification_age", "sms")),
        (replace(WELL, destinations=[Standing("ward-b", open=True)]), ("destination_breaker", "ward-b")),
        (replace(WELL, subscribers=[Unhanded("his", "main-his", 601.0)]), ("subscriber_age", "his")),
    ],
)
def test_each_trouble_raises_its_own(state: State, raised: tuple[str, str]) -> None:
    assert bad(state) == [raised]


def test_a_threshold_of_nothing_is_not_watched() -> None:
    trouble = State(
        9e9,
        [Unmapped("HP", "a", 9, 9, 99)],
        {"relay": 9e9},
        [("HP", 99, 99, 0)],
        [("HP", 9e9)],
        1.0,
        [gateway(9e9)],
        [Standing("ward-b", 9e9, 99, open=True)],
        [Unhanded("his", "main-his", 9e9)],
        schedule_to_start=[("yilian workflow", 9e9)],
    )
    off = Limits(
        0, 0, 0, {}, 0, 0, ("relay",), 0, 0, 0, 0, breakers=False, store_seconds=0, workflow_seconds=0
    )
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


@pytest.mark.parametrize(
    ("stuck", "open_", "expected"),
    [
        (9, False, Turn.NONE),
        (10, False, Turn.RAISE),
        (9, True, Turn.KEEP),
        (8, True, Turn.CLEAR),
    ],
)
def test_so_many_stuck_deliveries_are_too_many(stuck: int, open_: bool, expected: Turn) -> None:
    [found] = of_destination(Standing("ward-b", stuck=stuck), Limits(stuck=10), "destination_stuck")
    assert turn(found, open_=open_) is expected


def test_one_stuck_delivery_is_told_until_none_is_left() -> None:
    turns = [
        turn(found, open_=True)
        for n in (1, 0)
        for found in of_destination(Standing("ward-b", stuck=n), LIMITS, "destination_stuck")
    ]
    assert turns == [Turn.KEEP, Turn.CLEAR]


def test_a_breaker_is_told_until_it_closes_and_not_where_nobody_delivers() -> None:
    [open_] = of_destination(Standing("ward-b", open=True), LIMITS, "destination_breaker")
    [closed] = of_destination(Standing("ward-b", open=False), LIMITS, "destination_breaker")
    assert (turn(open_, open_=True), turn(closed, open_=True)) == (Turn.KEEP, Turn.CLEAR)
    assert of_destination(Standing("ward-b"), LIMITS, "destination_breaker") == []


def test_the_alert_of_a_paused_destination_says_how_it_goes_on() -> None:
    paused = Standing("ward-b", oldest=700.0, mode=Mode.PAUSED)
    [found] = of_destination(paused, LIMITS, "destination_age")
    assert found.detail.endswith("it is paused: ./yilian destinations resume ward-b")


def test_the_share_of_errors_counts_refusals_and_sends_people_to_the_larger_part() -> None:
    [found] = [
        r for r in readings(replace(WELL, errors=[("MAIN", 60, 10, 40)]), LIMITS) if r.name == "error_rate"
    ]
    assert found.value == 0.5
    assert "of 100 messages" in found.detail
    assert found.detail.endswith("--state refused --facility MAIN")


def of_destination(one: Standing, limits: Limits, name: str) -> list[Reading]:
    return [r for r in readings(replace(WELL, destinations=[one]), limits) if r.name == name]
