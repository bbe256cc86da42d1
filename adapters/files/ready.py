"""Which files are complete. Pure: what the looks showed, and the clock, are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.files.place import Entry, safe
from adapters.files.settings import Complete, Source


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it was first seen so; seconds of a steady clock."""

    entry: Entry
    since: float


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the folder showed."""

    ready: tuple[Entry, ...]
    """Complete, oldest first, then by name."""
    waiting: int
    """Of the pattern, and not complete yet."""
    unusable: int
    """Of the pattern, under a name that cannot be used: with a control character or a backslash."""
    seen: dict[str, Seen]
    """What the next look must know."""


def look(source: Source, entries: Sequence[Entry], seen: dict[str, Seen], now: float) -> Look:
    """Tell which files are complete; `seen` is what the last look gave, `now` a steady clock in seconds."""
    names = {entry.name for entry in entries}
    taken = [entry for entry in entries if source.takes(entry.name)]
    usable = [entry for entry in taken if safe(entry.name)]
    same = {entry.name for entry in usable if entry.name in seen and seen[entry.name].entry == entry}
    known = {entry.name: seen[entry.name] if entry.name in same else Seen(entry, now) for entry in usable}
    ready = [e for e in usable if _complete(source, known[e.name], e.name in same, names, now)]
    ready.sort(key=lambda entry: (entry.modified, entry.name))
    return Look(tuple(ready), len(usable) - len(ready), len(taken) - len(usable), known)


def _complete(source: Source, seen: Seen, same: bool, names: set[str], now: float) -> bool:
    if source.complete is Complete.DONE:
        return seen.entry.name + source.done_suffix in names
    return source.complete is Complete.RENAME or (same and now - seen.since >= source.settle)
