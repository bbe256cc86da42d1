"""A whole day of Huiya."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from datetime import date

from simulators import clinic, people
from simulators.catalogue import Exam, LabItem, LabPanel, exams, panels
from simulators.clinic import DEPARTMENTS
from simulators.huiya.desk import Desk, Edit
from simulators.people import DEMO

EDITS = 19
"""Edits of a day at scale 1: 1.2 parts of the consortium's volume, 16 to a part."""


def day(seed: int, today: date, scale: float = 1.0) -> list[Edit]:
    """Return the day's edits by phase and time; the same arguments give the same edits."""
    size = max(round(EDITS * scale), 1)
    edits = itertools.islice(itertools.chain.from_iterable(d.edits for d in _desks(seed, today)), size)
    return sorted(edits, key=lambda e: (e.phase, e.updated_at, e.table, e.key))


def _desks(seed: int, today: date) -> Iterator[Desk]:
    demo = Desk("D0000", DEMO.at("HY"), DEPARTMENTS[0], random.Random(f"{seed}/{today}/HY/demo"), today)
    _tested(demo, panels()["electrolytes"], exams()["us_heart"])
    yield demo
    yield _wrong_birth_date(_desk(seed, today, "X0000", 900_001))
    yield _wrong_start(_desk(seed, today, "X0001", 900_002))
    shared = today.toordinal() % 50 * 120 + 1
    for place in itertools.count():
        # Every second one came to the main campus on the same day.
        desk = _desk(
            seed, today, f"V{place:04d}", shared + place if place % 2 == 0 else 3_000_000 + shared + place
        )
        if place % 2 == 0:
            _left(desk, panels()[desk.department.panels[0]])
        else:
            _tested(desk, panels()[desk.department.panels[0]], exams()[desk.department.exams[0]])
        yield desk


def _desk(seed: int, today: date, name: str, index: int) -> Desk:
    rng = random.Random(f"{seed}/{today}/HY/{name}")
    patient = people.person(seed, index, today).at("HY")
    return Desk(name, patient, rng.choice(DEPARTMENTS[:-1]), rng, today)


def _tested(desk: Desk, panel: LabPanel, exam: Exam) -> None:
    """Registered, tested, examined; a result is corrected in the afternoon."""
    values = clinic.measure(desk.rng, panel)[:2]
    desk.register()
    desk.admit("O", desk.at("08:40:00"))
    desk.order(panel)
    for line, value in enumerate(values, 1):
        desk.result(panel, line, value)
    desk.examine(exam)
    desk.charge(panel)
    corrected = {"value": _middle(values[-1].item), "abnormal": "N", "status": "修正"}
    desk.put(1, "lab_result", f"{desk.number('YL')}-{len(values)}", corrected)


def _left(desk: Desk, panel: LabPanel) -> None:
    """Registered, and gone before the test: the order is taken back and the charge removed."""
    desk.register()
    desk.admit("O", desk.at("09:05:00"))
    desk.order(panel)
    desk.charge(panel)
    desk.put(1, "patient", desk.patient.number, {"phone": "13800000002"})
    desk.put(1, "visit", desk.number("YV"), {"end_time": desk.at("15:55:00"), "status": "结束"})
    desk.put(2, "lab_order", desk.number("YO"), {"status": "作废", "is_deleted": 1})
    desk.remove("charge", desk.number("YC"))


def _wrong_birth_date(desk: Desk) -> Desk:
    desk.register("held:impossible_date", birth_date="1990-02-30")
    return desk


def _wrong_start(desk: Desk) -> Desk:
    desk.register()
    desk.admit("I", f"{desk.today.year}-13-45 08:00:00", "held:impossible_date")
    return desk


def _middle(item: LabItem) -> str:
    if item.low is None or item.high is None:
        return item.normal
    return f"{(item.low + item.high) / 2:.{item.decimals}f}"
