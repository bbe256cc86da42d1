"""What an import changes, whether periods fit, and what is in force on a day. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

from consortium.terminology.errors import Problem
from consortium.terminology.model import FIELDS, GROUP, Entry, Key, Kind


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that an import changes."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Changed:
    """A period that is known and said differently."""

    entry: Entry
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import does."""

    added: tuple[Entry, ...]
    changed: tuple[Changed, ...]
    unchanged: int

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Return what is to be recorded."""
        return (*self.added, *(one.entry for one in self.changed))


def plan(current: Mapping[Key, Entry], wanted: Sequence[Entry]) -> Plan:
    """Compare what is wanted with what is recorded. What the file does not name stays as it is."""
    added = tuple(entry for entry in wanted if entry.key not in current)
    changed = tuple(
        Changed(entry, found)
        for entry in wanted
        if entry.key in current and (found := differences(current[entry.key], entry))
    )
    return Plan(added, changed, len(wanted) - len(added) - len(changed))


def completed(entry: Entry, before: Entry | None, columns: Collection[str]) -> Entry:
    """Return an entry of a file that has only these columns, with what is recorded for the others."""
    if before is None:
        return entry
    kept = {name: text for name, text in before.attributes.items() if name not in columns}
    until = entry.valid_to if "valid_to" in columns else before.valid_to
    return replace(entry, valid_to=until, attributes={**kept, **entry.attributes})


def differences(before: Entry, after: Entry) -> tuple[Difference, ...]:
    """Return the fields in which two versions of a period differ."""
    old, new = _fields(before), _fields(after)
    return tuple(
        Difference(name, old.get(name), new.get(name))
        for name in dict.fromkeys((*old, *new))
        if old.get(name) != new.get(name)
    )


def _fields(entry: Entry) -> dict[str, str]:
    until = {"valid_to": entry.valid_to.isoformat()} if entry.valid_to else {}
    return {"name": entry.name, **until, **entry.attributes}


def in_force(periods: Iterable[Entry], on: date) -> Entry | None:
    """Return the entry of one code that holds on a day: the last that began, unless it ended before."""
    begun = [entry for entry in periods if entry.valid_from <= on]
    last = max(begun, key=lambda entry: entry.valid_from, default=None)
    return None if last is None or (last.valid_to and last.valid_to < on) else last


def misfits(current: Mapping[Key, Entry], wanted: Sequence[Entry], lines: Mapping[Key, int]) -> list[Problem]:
    """Return the periods of one code that would overlap. An open one ends where the next begins."""
    codes = {(entry.owner, entry.code) for entry in wanted}
    merged = {**current, **{entry.key: entry for entry in wanted}}
    by_code: dict[tuple[str, str], list[Entry]] = {}
    for entry in merged.values():
        if (entry.owner, entry.code) in codes:
            by_code.setdefault((entry.owner, entry.code), []).append(entry)
    return [
        _overlap(one, other, lines)
        for periods in by_code.values()
        for one, other in pairwise(sorted(periods, key=lambda entry: entry.valid_from))
        if one.valid_to is not None and one.valid_to >= other.valid_from
    ]


def _overlap(one: Entry, other: Entry, lines: Mapping[Key, int]) -> Problem:
    line = lines.get(other.key) or lines.get(one.key, 1)
    message = f"{one.code} of {one.owner} holds to {one.valid_to}, and again from {other.valid_from}"
    return Problem(line, "valid_from", message)


def references(kind: Kind) -> tuple[Kind, ...]:
    """Return the kinds that entries of a kind refer to."""
    return tuple({field.refers_to for field in FIELDS[kind] if field.refers_to})


def dangling(
    wanted: Sequence[Entry], known: Mapping[Kind, Collection[tuple[str, str]]], lines: Mapping[Key, int]
) -> Iterator[Problem]:
    """Give each reference to nothing; `known`: owner and code by kind, with what the import itself adds."""
    for entry in wanted:
        for field in FIELDS[entry.kind]:
            code = entry.attributes.get(field.name)
            if not code or field.refers_to is None:
                continue
            there = known[field.refers_to]
            if (entry.owner, code) not in there and (GROUP, code) not in there:
                message = f"there is no {field.refers_to.value} {code} of {entry.owner}; import that first"
                yield Problem(lines.get(entry.key, 1), field.name, message)
