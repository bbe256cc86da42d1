"""Which day is played."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

SEED = 7
SAMPLE_DAY = date(2026, 11, 20)


@dataclass(frozen=True, slots=True)
class Plan:
    """A day to play: it follows from these three, to the byte."""

    day: date
    seed: int = SEED
    scale: float = 1.0
    """1: 1,360 messages of the main campus, 114 of Huangpu, 19 of Huiya."""


def sample_day(today: date) -> date:
    """Return the sample day, or yesterday where the clock has not come to it.

    Huiya's rows are stamped with the day, and a reader of tables does not take rows from the future.
    """
    return min(SAMPLE_DAY, today - timedelta(days=1))
