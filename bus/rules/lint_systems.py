"""What is wrong with the systems that a campus declares, beside its rules and destinations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bus.rules.compile import nearest
from bus.rules.condition import read_condition
from bus.rules.finding import Finding, finding, from_error
from bus.rules.loader import Loaded
from bus.rules.marks import Marked
from bus.rules.systems import DeclaredSystem, SystemsFile, fits, load_declared

GROUP = "GROUP"


def system_findings(rules_dir: Path, loaded: Loaded) -> Iterator[Finding]:
    """Give every mistake in `campuses/*/systems.yaml`."""
    declared = load_declared(rules_dir)
    yield from map(from_error, declared.errors)
    for facility, spec in declared.by_facility.items():
        marked = declared.marks[facility]
        for number, one in enumerate(spec.systems):
            yield from _receives(one, number, spec, marked, loaded)
            yield from _routed(one, number, spec, marked, loaded)


def _receives(
    one: DeclaredSystem, number: int, spec: SystemsFile, marked: Marked, loaded: Loaded
) -> Iterator[Finding]:
    for at, name in enumerate(one.receives):
        place = marked.place(("systems", number, "receives", at))
        known = loaded.destinations.get(name)
        if known is None:
            reason = f"there is no rules/destinations/{name}.yaml; {nearest(name, loaded.destinations)}"
            yield finding(marked.file, place, "bad-key", reason)
        elif known.facility not in (spec.facility, GROUP):
            reason = f"{name} is a destination of {known.facility}: declare its system in that campus's file"
            yield finding(marked.file, place, "bad-key", reason)


def _routed(
    one: DeclaredSystem, number: int, spec: SystemsFile, marked: Marked, loaded: Loaded
) -> Iterator[Finding]:
    """Give the types that no rule of the campus takes. What comes over FHIR needs none."""
    allowed = [
        read_condition(rule.spec.match, spec.facility).allowed("msg.type")
        for rule in loaded.rules
        if rule.spec.facility == spec.facility
    ]
    if loaded.errors or any(types is None for types in allowed):
        return
    taken = {one for types in allowed for one in types or ()}
    for service_number, service in enumerate(one.services):
        for at, written in enumerate(service.types):
            if service.protocol == "fhir" or any(fits(each, written) for each in taken):
                continue
            place = marked.place(("systems", number, "services", service_number, "types", at))
            reason = f"no rule of {spec.facility} takes {written}: its messages would be held; write one"
            yield finding(marked.file, place, "unrouted-type", reason)
