"""What is wrong with the systems that a campus declares, beside its rules and destinations."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from bus.rules.condition import read_condition
from bus.rules.finding import Finding, finding, from_error
from bus.rules.loader import Loaded
from bus.rules.marks import Marked
from bus.rules.routes import unknown
from bus.rules.systems import DeclaredSystem, SystemsFile, fits, load_declared
from consortium.access.model import GROUP


def system_findings(rules_dir: Path, loaded: Loaded) -> Iterator[Finding]:
    """Give every mistake in `campuses/*/systems.yaml`."""
    declared = load_declared(rules_dir)
    yield from map(from_error, declared.errors)
    for facility, spec in declared.by_facility.items():
        marked = declared.marks[facility]
        taken = _taken(facility, loaded)
        for number, one in enumerate(spec.systems):
            yield from _receives(one, number, spec, marked, loaded)
            if taken is not None:
                yield from _routed(one, number, spec, marked, taken)


def _receives(
    one: DeclaredSystem, number: int, spec: SystemsFile, marked: Marked, loaded: Loaded
) -> Iterator[Finding]:
    for at, name in enumerate(one.receives):
        place = marked.place(("systems", number, "receives", at))
        known = loaded.destinations.get(name)
        if known is None:
            reason = unknown(name, loaded.destinations)
            yield finding(marked.file, place, "unknown-destination", reason)
        elif known.facility not in (spec.facility, GROUP):
            reason = f"{name} is a destination of {known.facility}: declare its system in that campus's file"
            yield finding(marked.file, place, "bad-key", reason)


def _taken(facility: str, loaded: Loaded) -> Collection[str] | None:
    """Return the types that the rules of a campus take; None where that cannot be told, or is any."""
    if loaded.errors:
        return None
    taken: set[str] = set()
    for rule in loaded.rules:
        if rule.spec.facility == facility:
            types = read_condition(rule.spec.match, facility).allowed("msg.type")
            if types is None:
                return None
            taken |= types
    return taken


def _routed(
    one: DeclaredSystem, number: int, spec: SystemsFile, marked: Marked, taken: Collection[str]
) -> Iterator[Finding]:
    """Give the types that no rule of the campus takes. What comes over FHIR needs none."""
    for service_number, service in enumerate(one.services):
        for at, written in enumerate(service.types):
            if service.protocol == "fhir" or any(fits(each, written) for each in taken):
                continue
            place = marked.place(("systems", number, "services", service_number, "types", at))
            reason = f"no rule of {spec.facility} takes {written}: its messages would be held; write one"
            yield finding(marked.file, place, "unrouted-type", reason)
