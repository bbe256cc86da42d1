"""Code tables: a campus's codes to the consortium's, in CSV that people edit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import pairwise

ANY = "*"
"""Facility of a row that is for every campus."""
DAY = timedelta(days=1)
EQUIVALENT = "equivalent"
INVERSE: Mapping[str, str] = {
    **{word: word for word in (EQUIVALENT, "equal", "relatedto", "inexact")},
    "wider": "narrower",
    "narrower": "wider",
    "subsumes": "specializes",
    "specializes": "subsumes",
}
"""What a target may be to a campus's code (R4 ConceptMapEquivalence), and the code to the target."""
Key = tuple[str, str]
"""Campus and its code."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a code means in the consortium."""

    code: str
    name: str | None
    system: str | None
    valid_from: date | None = None
    """First day in force; None: since ever."""
    valid_to: date | None = None
    """Last day in force; None: until the next period of the code begins."""
    relationship: str | None = None
    """Of the target to the code, one of `INVERSE`; None: nobody said, so it is equivalent."""
    owner: str | None = None
    """Who answers for it; None: the campus, or the consortium for a row of every campus."""

    @property
    def dated(self) -> bool:
        """Whether there are days on which it does not hold."""
        return self.valid_from is not None or self.valid_to is not None

    def holds(self, on: date) -> bool:
        """Whether it is in force on a day."""
        return (self.valid_from or date.min) <= on <= (self.valid_to or date.max)

    def period(self) -> str:
        """Return its days in words."""
        begins = f"from {self.valid_from}" if self.valid_from else ""
        ends = f"to {self.valid_to}" if self.valid_to else ""
        return " ".join(filter(None, (begins, ends))) or "always"

    def owned_by(self, facility: str) -> str:
        """Return who answers for it, as an entry of a campus."""
        return self.owner or ("GROUP" if facility == ANY else facility)


Periods = tuple[Target, ...]
"""What one code means over time, earliest first; none overlaps the next."""


@dataclass(frozen=True, slots=True)
class CodeTable:
    """One table, from all its files. What always holds is apart from what has dates, of which most tables
    have none: a lookup in those asks for no day.
    """

    name: str
    rows: Mapping[Key, Target]
    """What a file says holds always."""
    added: dict[Key, Target] = field(default_factory=dict)
    """What people mapped since the files were read; see `bus.rules.additions`."""
    dated: Mapping[Key, Periods] = field(default_factory=dict)
    """What a file says with dates."""
    dated_added: dict[Key, Periods] = field(default_factory=dict)
    """What people mapped with dates."""

    @property
    def has_dates(self) -> bool:
        """Whether what a code means depends on the day."""
        return bool(self.dated or self.dated_added)

    def find(self, facility: str, code: str, on: date) -> Target | None:
        """Return the target of a campus's code on a day: its row in a file, what was mapped since, a row for
        all.
        """
        if not (self.dated or self.dated_added):
            return self.always(facility, code)
        own, everyones = (facility, code), (ANY, code)
        return (
            self.rows.get(own)
            or _in_force(self.dated.get(own, ()), on)
            or self.added.get(own)
            or _in_force(self.dated_added.get(own, ()), on)
            or self.rows.get(everyones)
            or _in_force(self.dated.get(everyones, ()), on)
        )

    def always(self, facility: str, code: str) -> Target | None:
        """Return the target of a code in a table without dates."""
        key = (facility, code)
        return self.rows.get(key) or self.added.get(key) or self.rows.get((ANY, code))

    def reviewed(self, key: Key) -> Periods:
        """Return what the files say of a code."""
        always = self.rows.get(key)
        return (always,) if always else self.dated.get(key, ())

    def mapped(self, key: Key) -> Periods:
        """Return what people said of a code since."""
        always = self.added.get(key)
        return (always,) if always else self.dated_added.get(key, ())

    def periods(self, facility: str, code: str) -> Periods:
        """Return everything that is said of a campus's code, whenever it holds."""
        own, everyones = (facility, code), (ANY, code)
        said = (self.reviewed(own), self.mapped(own), self.reviewed(everyones))
        return tuple(target for periods in said for target in closed(periods))

    def entries(self) -> Iterator[tuple[Key, Target]]:
        """Give every entry, by campus and code; of what people added only what no file hides wholly."""
        keys = {*self.rows, *self.added, *self.dated, *self.dated_added}
        for key in sorted(keys):
            added = () if key in self.rows else self.mapped(key)
            yield from ((key, target) for target in (*closed(self.reviewed(key)), *closed(added)))

    def add(self, key: Key, target: Target) -> None:
        """Take in what somebody mapped. It corrects the period that begins on the same day."""
        kept = [one for one in self.mapped(key) if one.valid_from != target.valid_from]
        if not kept and not target.dated:
            self.added[key] = target
            self.dated_added.pop(key, None)
        else:  # threads look codes up meanwhile: there before it is taken away
            self.dated_added[key] = in_turn([*kept, target])
            self.added.pop(key, None)


def _in_force(periods: Periods, on: date) -> Target | None:
    """Return the last that began, unless it ended before."""
    begun = [one for one in periods if (one.valid_from or date.min) <= on]
    return begun[-1] if begun and begun[-1].holds(on) else None


def in_turn(targets: Iterable[Target]) -> Periods:
    """Return the periods of one code in their order."""
    return tuple(sorted(targets, key=lambda target: target.valid_from or date.min))


def closed(periods: Periods) -> Periods:
    """Return periods in their order with the days on which they hold: an open one ends before the next."""
    ends = [one.valid_from - DAY if one.valid_from else None for one in periods[1:]]
    return (
        *(replace(one, valid_to=one.valid_to or end) for one, end in zip(periods, ends, strict=False)),
        *periods[-1:],
    )


def overlap(periods: Periods) -> tuple[Target, Target] | None:
    """Return two periods of one code that hold on the same day; they are in their order."""
    for one, other in pairwise(periods):
        if one.valid_from == other.valid_from or (
            one.valid_to is not None and one.valid_to >= (other.valid_from or date.min)
        ):
            return one, other
    return None
