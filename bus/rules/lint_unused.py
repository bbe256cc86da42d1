"""What the linter says of shared resources that no rule uses: tables, included files, fragments,
destinations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bus.rules.destinations import AnyDestination, MllpDestination, PixV3Destination
from bus.rules.finding import Finding, finding
from bus.rules.lint_leaves import Spots
from bus.rules.loader import Loaded, Rule, load_shared
from bus.rules.marks import Marked, Place
from bus.rules.spec import Node, PathLeaf

Shared = Mapping[str, tuple[Mapping[str, Node], Marked]]
"""Fragments by name, and where they are, of each file below `rules/shared`."""


def unused(loaded: Loaded, spots: Spots, rules_dir: Path) -> Iterator[Finding]:
    """Give what no rule uses; the folder was loaded without a mistake."""
    yield from _tables(loaded, spots)
    yield from _destinations(loaded)
    yield from _shared(loaded, rules_dir)


def _tables(loaded: Loaded, spots: Spots) -> Iterator[Finding]:
    leaves = (spot.entry for spot in spots.all)
    used = {leaf.lookup for leaf in leaves if isinstance(leaf, PathLeaf)}
    for name in sorted(loaded.tables.keys() - used):
        reason = f"no rule looks anything up in {name}: use it in a lookup, or remove the file"
        yield finding(f"codes/{name}.csv", Place(1), "unused-table", reason)


def _destinations(loaded: Loaded) -> Iterator[Finding]:
    used = {sending.to for rule in loaded.rules for sending in rule.spec.sendings}
    for name, to in sorted(loaded.destinations.items()):
        if name not in used and not _told_otherwise(to):
            marked = loaded.destination_marks[name]
            reason = f"no rule sends anything to {name}: name it in a rule, or remove the file"
            yield finding(marked.file, marked.place(("name",)), "unused-destination", reason)


def _told_otherwise(to: AnyDestination) -> bool:
    """Whether it is told of what changes here, without a rule."""
    if isinstance(to, PixV3Destination) or to.master_data:
        return True
    return isinstance(to, MllpDestination) and to.pix is not None


def _shared(loaded: Loaded, rules_dir: Path) -> Iterator[Finding]:
    files: Shared = {path.name: load_shared(path, rules_dir) for path in _paths(rules_dir)}
    used = {pair for rule in loaded.rules for pair in _used(rule, files)}
    included = {name for rule in loaded.rules for name in rule.spec.include}
    for name, (fragments, marked) in files.items():
        if name not in included:
            reason = f"no rule includes {name}: include it, or remove the file"
            yield finding(marked.file, Place(1), "unused-shared", reason)
            continue
        for fragment in fragments:
            if (name, fragment) not in used:
                place = marked.place(("fragments", fragment))
                reason = f"no rule uses the fragment {fragment}: use it, or remove it"
                yield finding(marked.file, place, "unused-shared", reason)


def _paths(rules_dir: Path) -> list[Path]:
    return sorted((rules_dir / "shared").glob("*.yaml"))


def _used(rule: Rule, files: Shared) -> Iterator[tuple[str, str]]:
    """Give each fragment that a rule uses, by file and name; of two of one name the last included."""
    known = {name: file for file in rule.spec.include if file in files for name in files[file][0]}
    waiting, seen = list(_names(rule.spec.map)), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in known:
            continue
        seen.add(name)
        yield known[name], name
        waiting += _names(files[known[name]][0][name])


def _names(entry: Any) -> Iterator[str]:
    if isinstance(entry, list):
        for one in entry:
            yield from _names(one)
    elif isinstance(entry, Node):
        if entry.use is not None:
            yield entry.use
        for one in (entry.__pydantic_extra__ or {}).values():
            yield from _names(one)
