"""A whole day of the main campus."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from simulators import people
from simulators.clock import LOCAL
from simulators.hazards import hazardous_ideographs
from simulators.main_campus import mistakes, storylines
from simulators.main_campus.chart import Chart
from simulators.main_campus.message import Message
from simulators.people import DEMO, Person

MESSAGES = 1360
"""Messages of a day at scale 1: 85 parts of the consortium's volume, 16 to a part."""

REMARK_LENGTH = 16


def day(seed: int, today: date, scale: float = 1.0) -> list[Message]:
    """Return the day's messages in the order of their times; the same arguments give the same bytes.

    A smaller scale sends a part of what a greater one sends.
    """
    messages: list[Message] = []
    size = max(round(MESSAGES * scale), 1)
    for chart in _charts(seed, today, scale):
        messages.extend(chart.messages[: size - len(messages)])
        if len(messages) == size:
            break
    return sorted(messages, key=lambda m: (m.at, m.application, m.control_id))


def _charts(seed: int, today: date, scale: float) -> Iterator[Chart]:
    demo = _chart(seed, today, "D00000", DEMO)
    demo.remark = remark(0)
    storylines.demo(demo)
    yield demo

    def make(name: str) -> Chart:
        return _chart(seed, today, name, people.rare_person(seed, 1000 + int(name[1:])))

    yield from mistakes.charts(make)
    for place in range(round(people.RARE_NAMES * min(scale, 1.0))):
        chart = _chart(seed, today, f"R{place:05d}", people.rare_person(seed, place))
        storylines.registration(chart)
        yield chart
    yield from _visits(seed, today)


def _visits(seed: int, today: date) -> Iterator[Chart]:
    first = today.toordinal() % 50 * 120 + 1
    for place in itertools.count():
        name = f"V{place:05d}"
        chart = _chart(seed, today, name, people.person(seed, first + place, today))
        chart.remark = remark(place)
        storylines.CYCLE[place % len(storylines.CYCLE)](chart)
        yield chart


def remark(place: int) -> str:
    """Return a line with the `place`-th share of the hazardous ideographs; 29 shares hold all."""
    characters = hazardous_ideographs()
    start = place * REMARK_LENGTH % len(characters)
    return f"病案用字核对：{''.join(characters[start : start + REMARK_LENGTH])}。"


def _chart(seed: int, today: date, name: str, person: Person) -> Chart:
    rng = random.Random(f"{seed}/{today}/MAIN/{name}")
    opening = datetime.combine(today, datetime.min.time(), LOCAL) + timedelta(hours=7, minutes=30)
    start = opening + timedelta(minutes=rng.randrange(0, 420), seconds=rng.randrange(60))
    return Chart(name, person.at("MAIN"), start, rng)
