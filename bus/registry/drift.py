"""How what is declared of a system differs from what is so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bus.registry.model import Difference, Drift, Facts
from bus.rules.systems import DeclaredSystem, fits
from bus.systems import Seen


def drift_of(one: DeclaredSystem, rows: Sequence[Seen], facts: Facts) -> list[Drift]:
    """Return every difference of a declared system, what it gives first."""
    return [*_unseen(one, rows), *_other(one, rows, facts), *_missing(one, facts)]


def _unseen(one: DeclaredSystem, rows: Sequence[Seen]) -> Iterator[Drift]:
    if one.services and not rows:
        yield Drift(Difference.NEVER_SEEN, "")
        return
    for service in one.services:
        for written in service.types:
            if not any(fits(row.message_type, written) for row in rows):
                yield Drift(Difference.NEVER_SEEN, written, declared=service.protocol)


def _other(one: DeclaredSystem, rows: Sequence[Seen], facts: Facts) -> Iterator[Drift]:
    told: set[Drift] = set()
    for row in rows:
        for each in _of_row(one, row, facts):
            if each not in told:
                told.add(each)
                yield each


def _of_row(one: DeclaredSystem, row: Seen, facts: Facts) -> Iterator[Drift]:
    services = one.service_of(row.message_type)
    if not services:
        yield Drift(Difference.UNDECLARED_TYPE, row.message_type, found=row.protocol)
        return
    ways = sorted({service.protocol for service in services})
    if row.protocol not in ways:
        yield Drift(Difference.OTHER_WAY, row.message_type, ", ".join(ways), row.protocol)
    agreed = sorted({s.contract.version for s in services if s.contract.kind == "hl7v2"})
    found = facts.versions.get((row.facility, row.sender, row.message_type))
    if agreed and found is not None and found not in agreed:
        yield Drift(Difference.OTHER_VERSION, row.message_type, ", ".join(agreed), found)


def _missing(one: DeclaredSystem, facts: Facts) -> Iterator[Drift]:
    for name in one.receives:
        if name not in facts.destinations:
            yield Drift(Difference.NO_DESTINATION, name)
    for name in one.subscriptions:
        if name not in facts.subscriptions:
            yield Drift(Difference.NO_SUBSCRIBER, name)
