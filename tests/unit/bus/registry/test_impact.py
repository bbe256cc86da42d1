"""What breaks when a system goes away."""

from __future__ import annotations

import pytest

from bus.registry.console import show_impact
from bus.registry.impact import Reached, Starved, impact
from bus.registry.model import Entry, Flow, Link, Outward, Subscription

LINKS = {
    one.name: one
    for one in (
        Link("lab", "MAIN", "report", ["ward"]),
        Link("exam", "MAIN", "report", ["ward", "archive"]),
        Link("nursing", "MAIN", "report", ["board"]),
        Link("patient", "MAIN", "patient", []),
    )
}


def to(name: str, *, notices_of: tuple[str, ...] = (), queued: int = 0) -> Outward:
    rules = [link.name for link in LINKS.values() if name in link.destinations]
    return Outward(name, "MAIN", "mllp", rules, notices_of, {"queued": queued} if queued else {})


LIS = Entry("MAIN", "LIS", None, [Flow("ORU^R01", ["lab"])])
RIS = Entry("MAIN", "RIS", None, [Flow("ORU^R01", ["exam?"])])
HIS = Entry("MAIN", "HIS", None, [Flow("ADT^A28", ["patient"])])
WARD = Entry("MAIN", "NIS", None, [Flow("ORU^R30", ["nursing"])], receives=[to("ward", queued=4)])
ARCHIVE = Entry("HP", "PACS", None, receives=[to("archive")])
BOARD = Entry("MAIN", "BOARD", None, receives=[to("board")])
INDEX = Entry("MAIN", "MPI", None, receives=[to("notices", notices_of=("MAIN",))])
ALL = [LIS, RIS, HIS, WARD, ARCHIVE, BOARD, INDEX]


def test_a_rule_that_only_it_feeds_starves_wholly_and_a_shared_destination_in_part() -> None:
    found = impact(LIS, ALL, LINKS)
    assert found.rules == [Starved("lab", wholly=True)]
    assert found.destinations == [Starved("ward", wholly=False)]
    assert found.workflows == [Starved("critical_value", wholly=False)]


def test_a_rule_that_another_feeds_too_gets_less() -> None:
    other = Entry("MAIN", "POCT", None, [Flow("ORU^R01", ["lab"])])
    assert impact(LIS, [*ALL, other], LINKS).rules == [Starved("lab", wholly=False)]


def test_the_last_that_reports_stops_the_workflow() -> None:
    assert impact(LIS, [LIS, HIS], LINKS).workflows == [Starved("critical_value", wholly=True)]


def test_what_comes_downstream_of_a_receiver_is_reached_too_once() -> None:
    assert impact(RIS, ALL, LINKS).systems == [
        Reached("MAIN", "NIS", ["ward"], 1, wholly=False),
        Reached("HP", "PACS", ["archive"], 1, wholly=True),
        Reached("MAIN", "BOARD", ["board"], 2, wholly=False),
    ]


def test_a_circle_ends() -> None:
    echo = Entry("MAIN", "LIS", None, [Flow("ORU^R01", ["lab"])], receives=[to("board")])
    found = impact(echo, [echo, WARD], LINKS)
    assert [(one.code, one.depth) for one in found.systems] == [("NIS", 1)]


def test_the_index_hears_no_more_of_the_numbers_of_a_campus() -> None:
    found = impact(HIS, ALL, LINKS)
    assert found.destinations == [Starved("notices", wholly=True)]
    assert [one.code for one in found.systems] == ["MPI"]
    assert found.workflows == []


def test_a_receiver_leaves_its_queue_its_subscriptions_and_its_questions() -> None:
    drugs = Subscription("drugs", ["drug"], 2)
    one = Entry("MAIN", "NIS", None, receives=[to("ward", queued=4)], subscriptions=[drugs])
    found = impact(one, [*ALL, one], LINKS)
    assert [(each.name, each.open) for each in found.unreceived] == [("ward", {"queued": 4})]
    assert list(found.untold) == [drugs]


def test_nothing_that_breaks_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    waiting = Entry("MAIN", "NEW", None, [Flow("ORU^R40", [])])
    show_impact(impact(waiting, [*ALL, waiting], LINKS))
    assert capsys.readouterr().out.splitlines()[1:] == ["  nothing that is known here"]
    show_impact(impact(LIS, ALL, LINKS))
    assert "nothing that is known" not in capsys.readouterr().out
