"""Joins what is declared, deployed and seen to one entry for each system. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from bus.registry.drift import drift_of
from bus.registry.model import Difference, Drift, Entry, Facts, Flow, Health, Outward, Subscription
from bus.rules.systems import DeclaredSystem
from bus.systems import Seen

Fitting = Callable[[str, str, str, str], Sequence[str]]
"""Rules that messages fit, by campus, sender, type and protocol."""
GROUP = "GROUP"


def joined(facts: Facts, fitting: Fitting) -> list[Entry]:
    """Return every system: the declared ones of each campus, then others that are seen or reached."""
    entries = [
        _declared(facility, one, facts, fitting)
        for facility, systems in sorted(facts.declared.items())
        for one in systems
    ]
    return sorted([*entries, *_others(facts, fitting)], key=lambda one: (one.facility, one.code))


def _declared(facility: str, one: DeclaredSystem, facts: Facts, fitting: Fitting) -> Entry:
    names = set(one.names)
    rows = [row for row in facts.seen if row.facility == facility and row.sender in names]
    made = Entry(
        facility=facility,
        code=one.code,
        declared=one,
        flows=[*_flows(rows, fitting), *_never(facility, one, rows, fitting)],
        endpoints=_endpoints(rows),
        receives=[facts.destinations.get(n) or _undeployed(facility, n) for n in one.receives],
        subscriptions=[facts.subscriptions[n] for n in one.subscriptions if n in facts.subscriptions],
        held_today=sum(facts.held.get((facility, name), 0) for name in names),
        drift=drift_of(one, rows, facts),
    )
    return _standing(made, rows, facts)


def _others(facts: Facts, fitting: Fitting) -> Iterator[Entry]:
    """Give what is seen to send, reached or told, and declared by nobody."""
    declared = [(facility, one) for facility, systems in facts.declared.items() for one in systems]
    senders = {(facility, name) for facility, one in declared for name in one.names}
    strange: dict[tuple[str, str], list[Seen]] = {}
    for row in facts.seen:
        if (row.facility, row.sender) not in senders:
            strange.setdefault((row.facility, row.sender), []).append(row)
    drift = [Drift(Difference.UNDECLARED_SYSTEM, "")]
    made: dict[tuple[str, str], Entry] = {}
    for (facility, sender), rows in strange.items():
        made[facility, sender] = Entry(
            facility,
            sender,
            None,
            _flows(rows, fitting),
            _endpoints(rows),
            held_today=facts.held.get((facility, sender), 0),
            drift=drift,
        )
    received = {name for _, one in declared for name in one.receives}
    for name in facts.destinations.keys() - received:
        to = facts.destinations[name]
        entry = made.get((to.facility, name), Entry(to.facility, name, None, drift=drift))
        made[to.facility, name] = replace(entry, receives=[to])
    told = {name for _, one in declared for name in one.subscriptions}
    for name in facts.subscriptions.keys() - told:
        one = facts.subscriptions[name]
        at = next((key for key, entry in made.items() if _is_told(entry, one)), (GROUP, name))
        entry = made.get(at, Entry(*at, None, drift=drift))
        made[at] = replace(entry, subscriptions=[*entry.subscriptions, one])
    for entry in made.values():
        rows = strange.get((entry.facility, entry.code), [])
        yield _standing(entry, rows, facts)


def _is_told(entry: Entry, one: Subscription) -> bool:
    return entry.code == one.name or any(to.name == one.destination for to in entry.receives)


def _flows(rows: Sequence[Seen], fitting: Fitting) -> list[Flow]:
    by_type: dict[str, list[Seen]] = {}
    for row in rows:
        by_type.setdefault(row.message_type, []).append(row)
    return [
        Flow(
            message_type=message_type,
            rules=list(
                dict.fromkeys(
                    name
                    for row in group
                    for name in fitting(row.facility, row.sender, row.message_type, row.protocol)
                )
            ),
            messages=sum(row.messages for row in group),
            today=sum(row.today for row in group),
            first_seen=min(row.first_seen for row in group),
            last_seen=max(row.last_seen for row in group),
        )
        for message_type, group in sorted(by_type.items())
    ]


def _never(facility: str, one: DeclaredSystem, rows: Sequence[Seen], fitting: Fitting) -> Iterator[Flow]:
    """Give the declared types that never came. Which types a `*` stands for is not known before they come."""
    seen = {row.message_type for row in rows}
    for service in one.services:
        for written in service.types:
            if written in seen or "*" in written:
                continue
            seen.add(written)
            names = (fitting(facility, sender, written, service.protocol) for sender in one.names)
            yield Flow(written, list(dict.fromkeys(rule for found in names for rule in found)))


def _endpoints(rows: Sequence[Seen]) -> list[str]:
    ways = {r.protocol if r.endpoint == r.protocol else f"{r.protocol} {r.endpoint}" for r in rows}
    return sorted(ways)


def _undeployed(facility: str, name: str) -> Outward:
    return Outward(name, facility, "", (), deployed=False)


def _standing(entry: Entry, rows: Sequence[Seen], facts: Facts) -> Entry:
    ages = [row.age for row in rows]
    silent = bool(ages) and min(ages) > facts.patience.get(entry.facility, float("inf"))
    return replace(entry, silent=silent, health=_health(entry, silent=silent, sends=bool(rows)))


def _health(entry: Entry, *, silent: bool, sends: bool) -> Health:
    if any(to.alerts for to in entry.receives):
        return Health.TROUBLED
    if sends:
        return Health.SILENT if silent else Health.OK
    return Health.UNSEEN if entry.declared and entry.declared.services else Health.OK
