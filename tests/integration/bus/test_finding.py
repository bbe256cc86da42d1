"""Finding by visit, code, rule and time, forwards and backwards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import sqlalchemy as sa

from bus.finding import Filters, State, Window, find_ids
from bus.router.effects import Services
from bus.router.router import Router
from bus.rules.ruleset import RuleSet
from runtime.settings import CHECKOUT
from tests.integration.bus.clinic import engine_of, hl7, lab, rows, store

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = engine_of(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def day(engine: sa.Engine, database_url: str) -> list[int]:
    """A patient, a held one, a visit, a report, and one that nobody routed; an hour between each."""
    ids = store(
        database_url,
        hl7("ADT^A28", "M1"),
        hl7("ADT^A31", "M2", sex="X"),
        hl7("ADT^A04", "M1", visit="V1"),
        lab("M1"),
    )
    Router(engine, RuleSet.load(CHECKOUT / "rules"), Services()).answer(ids)
    ids += store(database_url, hl7("ADT^A08", "M3", visit="V9"))
    with psycopg.connect(database_url) as connection:
        for place, id_ in enumerate(ids):
            at = BEGAN + timedelta(hours=place)
            connection.execute("UPDATE bus.inbox SET received_at = %s WHERE id = %s", (at, id_))
    return ids


@pytest.mark.parametrize(
    ("filters", "places"),
    [
        (Filters(visit_number="V1"), [2]),
        (Filters(code="unmapped_code"), [1]),
        (Filters(code="unmapped_code", facility="HP"), []),
        (Filters(code="unmapped_code", state=State.WAITING), []),
        (Filters(rule="main-lab-report"), [3]),
        (Filters(rule="main-patient"), [0, 1]),
        (Filters(rule="main-patient", state=State.HELD), [1]),
        (Filters(rule="main-patient", state=State.RECORDED), [0]),
        (Filters(since=BEGAN + timedelta(hours=1), until=BEGAN + timedelta(hours=3)), [1, 2]),
        (Filters(since=BEGAN + timedelta(hours=9)), []),
        (Filters(until=BEGAN), []),
        (Filters(message_type="ADT^A31", patient_number="M1"), []),
        (Filters(facility="MAIN", state=State.STORED), [4]),
        (Filters(state=State.RECORDED), [0, 2, 3]),
        (Filters(state=State.REFUSED), []),
    ],
)
def test_each_filter_finds_both_ways(
    engine: sa.Engine, day: list[int], filters: Filters, places: list[int]
) -> None:
    wanted = [day[place] for place in places]
    with engine.connect() as connection:
        assert find_ids(connection, filters, Window(newest_first=False), 50) == wanted
        assert find_ids(connection, filters, Window(), 50) == wanted[::-1]
        assert find_ids(connection, filters, Window(), 1) == wanted[::-1][:1]
        assert find_ids(connection, filters, Window(high=min(wanted, default=1)), 50) == []


def test_a_time_finds_its_place_among_the_ids(engine: sa.Engine, day: list[int], database_url: str) -> None:
    for hours, expected in ((-1, day[0]), (0, day[0]), (2, day[2]), (2.5, day[3]), (99, day[-1] + 1)):
        at = BEGAN + timedelta(hours=hours)
        assert rows(database_url, "SELECT bus.inbox_at(%s)", at) == [(expected,)]


def test_an_empty_store_has_places_too(database_url: str) -> None:
    assert rows(database_url, "SELECT bus.inbox_at(now())") == [(1,)]
