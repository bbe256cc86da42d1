"""What the simulated hospitals measure and examine, with each campus's own codes beside LOINC."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from simulators.people import Campus

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class LabItem:
    """One measured quantity. `normal` is set where it is a word, `low` and `high` where it is a number."""

    name: str
    codes: Mapping[Campus, str]
    unit: str
    low: float | None
    high: float | None
    critical_low: float | None
    critical_high: float | None
    decimals: int
    normal: str
    abnormal: str

    @property
    def reference_range(self) -> str:
        """The range as a report prints it."""
        if self.low is None:
            return self.normal
        return f"{self.low:g}-{self.high:g}"


@dataclass(frozen=True, slots=True)
class LabPanel:
    """A set of items ordered and reported together."""

    key: str
    name: str
    codes: Mapping[Campus, str]
    items: tuple[LabItem, ...]


@dataclass(frozen=True, slots=True)
class Exam:
    """One kind of examination. `modality` is DICOM's, or ECG."""

    key: str
    name: str
    modality: str
    codes: Mapping[Campus, str]


@cache
def panels() -> Mapping[str, LabPanel]:
    """Return the lab panels by key."""
    items: dict[str, list[LabItem]] = {}
    for row in _rows("lab_items.csv"):
        items.setdefault(row["panel"], []).append(_item(row))
    return {
        row["panel"]: LabPanel(row["panel"], row["name"], _codes(row), tuple(items[row["panel"]]))
        for row in _rows("lab_panels.csv")
    }


@cache
def exams() -> Mapping[str, Exam]:
    """Return the examinations by key."""
    return {
        row["exam"]: Exam(row["exam"], row["name"], row["modality"], _codes(row))
        for row in _rows("exams.csv")
    }


def _item(row: Mapping[str, str]) -> LabItem:
    return LabItem(
        name=row["name"],
        codes=_codes(row),
        unit=row["unit"],
        low=_number(row["low"]),
        high=_number(row["high"]),
        critical_low=_number(row["critical_low"]),
        critical_high=_number(row["critical_high"]),
        decimals=int(row["decimals"] or 0),
        normal=row["normal"],
        abnormal=row["abnormal"],
    )


def _codes(row: Mapping[str, str]) -> dict[Campus, str]:
    return {"MAIN": row["main"], "HP": row["hp"], "HY": row["hy"]}


def _number(text: str) -> float | None:
    return float(text) if text else None


def _rows(file: str) -> list[dict[str, str]]:
    with (FOLDER / file).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
