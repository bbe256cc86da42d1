"""What breaks if a system goes away: what stops coming, what starves, and what nobody receives. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bus.registry.model import Entry, Flow, Link, Outward, Subscription

WORKFLOWS: Mapping[str, Sequence[str]] = {"report": ("critical_value",)}
"""Workflows that are begun by what is recorded, by its kind."""
IDENTITY = frozenset({"patient", "merge", "encounter"})
"""Kinds by which the numbers of a campus's patients become known: what PIX notices tell of."""
Key = tuple[str, str]
"""Campus and code."""


@dataclass(frozen=True, slots=True)
class Starved:
    """A rule, destination, workflow or system that gets less, or nothing any more."""

    name: str
    wholly: bool
    """Whether nobody else feeds it, so that it gets nothing at all."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A system that feels it, if only through others."""

    facility: str
    code: str
    through: Sequence[str]
    """Destinations by which it is reached."""
    depth: int
    """1: it got messages of the system itself; 2: of one of those, and so on."""
    wholly: bool
    """Whether all that it receives came from there; only said of depth 1."""


@dataclass(frozen=True, slots=True)
class Impact:
    """What breaks."""

    facility: str
    code: str
    stops: Sequence[Flow]
    rules: Sequence[Starved]
    destinations: Sequence[Starved]
    workflows: Sequence[Starved]
    systems: Sequence[Reached]
    unreceived: Sequence[Outward]
    """Destinations that lose their receiver, with what waits for it."""
    untold: Sequence[Subscription]
    """Subscriptions of master data that nobody takes."""
    unasked: Sequence[str]
    """Questions that it puts to the consortium, and nobody puts then."""


def impact(entry: Entry, entries: Sequence[Entry], links: Mapping[str, Link]) -> Impact:
    """Return what breaks if a system goes away. `links`: the deployed rules by name."""
    feeders = _feeders(entries)
    lost = sorted(_rules(entry))
    destinations = _destinations(entry, entries, links, feeders)
    return Impact(
        facility=entry.facility,
        code=entry.code,
        stops=entry.flows,
        rules=[Starved(name, feeders[name] == {_key(entry)}) for name in lost],
        destinations=destinations,
        workflows=list(_workflows(entry, links, feeders)),
        systems=list(_reached(entry, entries, links, feeders)),
        unreceived=entry.receives,
        untold=entry.subscriptions,
        unasked=entry.asks,
    )


def _key(entry: Entry) -> Key:
    return entry.facility, entry.code


def _rules(entry: Entry) -> set[str]:
    return {name.removesuffix("?") for flow in entry.flows for name in flow.rules}


def _feeders(entries: Sequence[Entry]) -> dict[str, set[Key]]:
    """Return who gives messages to each rule."""
    found: dict[str, set[Key]] = {}
    for entry in entries:
        for name in _rules(entry):
            found.setdefault(name, set()).add(_key(entry))
    return found


def _sources(to: Outward, links: Mapping[str, Link], feeders: Mapping[str, set[Key]]) -> set[Key]:
    """Return whose messages go to a destination, or make notices that do."""
    found: set[Key] = set()
    for name, link in links.items():
        told = link.facility in to.notices_of and link.kind in IDENTITY
        if to.name in link.destinations or told:
            found |= feeders.get(name, set())
    return found


def _outwards(entries: Sequence[Entry]) -> Iterator[tuple[Entry, Outward]]:
    for entry in entries:
        for to in entry.receives:
            yield entry, to


def _destinations(
    entry: Entry, entries: Sequence[Entry], links: Mapping[str, Link], feeders: Mapping[str, set[Key]]
) -> list[Starved]:
    found = {}
    for _, to in _outwards(entries):
        sources = _sources(to, links, feeders)
        if _key(entry) in sources:
            found[to.name] = Starved(to.name, sources == {_key(entry)})
    return [found[name] for name in sorted(found)]


def _workflows(entry: Entry, links: Mapping[str, Link], feeders: Mapping[str, set[Key]]) -> Iterator[Starved]:
    mine = {links[name].kind for name in _rules(entry) if name in links}
    for kind, names in WORKFLOWS.items():
        if kind not in mine:
            continue
        fed = {key for n, link in links.items() if link.kind == kind for key in feeders.get(n, set())}
        for name in names:
            yield Starved(name, fed == {_key(entry)})


def _reached(
    entry: Entry, entries: Sequence[Entry], links: Mapping[str, Link], feeders: Mapping[str, set[Key]]
) -> Iterator[Reached]:
    """Go from the system to those that receive its messages, to those that receive theirs, and so on."""
    sources = {id(to): _sources(to, links, feeders) for _, to in _outwards(entries)}
    seen = {_key(entry)}
    waiting = deque([(_key(entry), 0)])
    while waiting:
        giver, depth = waiting.popleft()
        for other in entries:
            through = [to.name for to in other.receives if giver in sources[id(to)]]
            if not through or _key(other) in seen:
                continue
            seen.add(_key(other))
            waiting.append((_key(other), depth + 1))
            every = {key for to in other.receives for key in sources[id(to)]}
            yield Reached(
                other.facility, other.code, through, depth + 1, wholly=depth == 0 and every == {giver}
            )
