"""Looking on while rules are compiled and run: what the linter, the coverage and `explain` see.

The router compiles without a watch, so its closures carry nothing of this.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Protocol

from bus.rules.marks import Place
from bus.rules.run import Leaf
from bus.rules.spec import (
    CallLeaf,
    CelLeaf,
    ConstLeaf,
    Entry,
    FirstLeaf,
    JoinLeaf,
    PathLeaf,
    RecordLeaf,
    TemplateLeaf,
)


class Part(enum.StrEnum):
    """What a compiled closure is of its rule."""

    LEAF = "leaf"
    """A value: a path, lookup, constant, expression, join, first of several."""
    CHOICE = "choice"
    """One of the leaves below `first`."""
    WHEN = "when"
    """A condition of an object, or of the parts of a join."""
    OBJECT = "object"
    EACH = "each"
    DESTINATION = "destination"
    """The condition of a destination."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a closure is written, and what it is for."""

    rule: str
    file: str
    place: Place
    part: Part
    field: str
    """Field of the canonical model, such as `reports.results.flag`; `version` for the rule's version."""
    annotation: Any
    """Type of that field; None for an object, a condition and the version."""
    entry: Entry | None
    """The leaf or object as written; None for a condition."""
    text: str
    """The condition, or the path of `each`."""
    paths_below: bool
    """Whether paths here are asked of a repeated part."""


class Watch(Protocol):
    """Looks on."""

    def leaf(self, spot: Spot, leaf: Leaf) -> Leaf:
        """Return what shall run in place of a compiled closure: the same, or one that notes what it does."""
        ...


def written(entry: Entry | None) -> str:
    """Return a leaf in a few words: what it reads."""
    match entry:
        case str():
            return entry
        case PathLeaf():
            return entry.path
        case ConstLeaf():
            return f"const {entry.const!r}"
        case CelLeaf():
            return f"cel {entry.cel}"
        case JoinLeaf():
            return f"{entry.path} of each {entry.each}"
        case TemplateLeaf():
            return f"template {entry.template}"
        case CallLeaf():
            return f"call {entry.call}"
        case RecordLeaf():
            return f"{entry.field} of the {entry.record} {written(entry.number)}"
        case FirstLeaf():
            return f"first of {len(entry.first)}"
    return "object"
