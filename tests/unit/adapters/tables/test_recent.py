"""What was brought lately is not brought again."""

from __future__ import annotations

from datetime import UTC, datetime

from adapters.tables import codec
from adapters.tables.recent import Recent
from adapters.tables.rows import Row
from adapters.tables.settings import campus
from bus.envelope import Arrival
from runtime.settings import CHECKOUT

HUIYA = campus("HY", CHECKOUT / "rules")


def arrival(number: int) -> Arrival:
    """Return the message of a patient."""
    at = datetime(2026, 11, 20, tzinfo=UTC)
    return codec.arrival(
        HUIYA, HUIYA.table("patient"), Row(f"P{number}", at, {"patient_no": f"P{number}", "updated_at": at})
    )


def test_what_was_learnt_is_left_out() -> None:
    recent, arrivals = Recent(), [arrival(1), arrival(2)]
    recent.learn(arrivals[:1])
    assert recent.unknown(arrivals) == arrivals[1:]


def test_nothing_is_known_before_it_is_committed() -> None:
    recent = Recent()
    assert recent.unknown([arrival(1)]) == recent.unknown([arrival(1)]) != []


def test_the_oldest_is_forgotten_first_and_one_seen_again_is_young() -> None:
    recent = Recent(most=2)
    recent.learn([arrival(1), arrival(2)])
    recent.unknown([arrival(1)])
    recent.learn([arrival(3)])
    assert recent.unknown([arrival(1), arrival(2), arrival(3)]) == [arrival(2)]
