"""What the linter says of leaves, conditions and repeated parts."""

from __future__ import annotations

import itertools
import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bus.rules.codes import ANY, CodeTable
from bus.rules.finding import Finding, finding
from bus.rules.paths import Family, fields_in, mistake, mistake_of_each
from bus.rules.run import Leaf
from bus.rules.spec import CelLeaf, ConstLeaf, Entry, JoinLeaf, OnMiss, PathLeaf, TemplateLeaf
from bus.rules.target import parts_of
from bus.rules.template import read_template
from bus.rules.watch import Part, Spot

SHOWN = 3
"""Codes of a table that a finding names."""
TEXTS = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""")
VARIABLE = re.compile(r"\bmsg\.(\w+)")
VARIABLES = frozenset({"type", "sender", "facility", "protocol", "control_id"})
XML_VARIABLES = VARIABLES | {"root"}
ONWARD_VARIABLES = VARIABLES | {"kind"}


@dataclass(slots=True)
class Spots:
    """A watch that only notes what there is."""

    all: list[Spot] = field(default_factory=list)

    def leaf(self, spot: Spot, leaf: Leaf) -> Leaf:
        """Note the spot; the closure stays as it is."""
        self.all.append(spot)
        return leaf

    def of(self, rule: str) -> list[Spot]:
        """Return the spots of one rule, those of fragments that it uses included."""
        return [spot for spot in self.all if spot.rule == rule]


def leaf_findings(
    spot: Spot, written: frozenset[Family], facility: str, tables: Mapping[str, CodeTable]
) -> Iterator[Finding]:
    """Give what is wrong at one spot of a rule whose messages are `written` so; empty: not known."""
    for code, message in _wrong(spot, written, facility, tables):
        yield finding(spot.file, spot.place, code, message)


Wrong = tuple[str, str]
"""Code and message."""


def _wrong(
    spot: Spot, written: frozenset[Family], facility: str, tables: Mapping[str, CodeTable]
) -> Iterator[Wrong]:
    if spot.part is Part.EACH:
        for reason in {mistake_of_each(spot.text, family) for family in written} - {None}:
            yield "bad-path", f"{reason}"
    elif spot.part is Part.WHEN:
        yield from expression_mistakes(spot.text, written, below=spot.paths_below)
    elif spot.part is Part.LEAF and spot.entry is not None:
        yield from _paths(spot.entry, written, below=spot.paths_below)
        yield from _values(spot, facility, tables)


def _paths(entry: Entry, written: frozenset[Family], *, below: bool) -> Iterator[Wrong]:
    if isinstance(entry, CelLeaf):
        yield from expression_mistakes(entry.cel, written, below=below)
        return
    if isinstance(entry, TemplateLeaf):
        for asked, family in itertools.product(read_template(entry.template).paths, written):
            if wrong := mistake(asked, family, below=below):
                yield "bad-path", wrong
        return
    path = entry if isinstance(entry, str) else getattr(entry, "path", None)
    inside = below or isinstance(entry, JoinLeaf)
    for family in written if path else ():
        reason = mistake(str(path), family, below=inside)
        if reason is None and isinstance(entry, JoinLeaf):
            reason = mistake_of_each(entry.each, family)
        if reason is not None:
            yield "bad-path", reason


def expression_mistakes(
    text: str, written: frozenset[Family], *, below: bool, onward: bool = False
) -> Iterator[Wrong]:
    """Give what is wrong with what an expression asks of the message; `onward`: of a rule without a map."""
    for path in fields_in(text):
        for reason in {mistake(path, family, below=below) for family in written} - {None}:
            yield "bad-path", f"{reason}"
    known = VARIABLES if written and Family.XML not in written else XML_VARIABLES
    known = ONWARD_VARIABLES if onward else known
    for name in VARIABLE.findall(TEXTS.sub('""', text)):
        if name not in known:
            reason = f"msg has no {name}: it has {', '.join(sorted(known))}"
            yield "unknown-variable", reason


def _values(spot: Spot, facility: str, tables: Mapping[str, CodeTable]) -> Iterator[Wrong]:
    entry = spot.entry
    if isinstance(entry, ConstLeaf):
        yield from _fits(entry.const, "the constant", spot)
    if not isinstance(entry, PathLeaf):
        return
    if entry.default is not None:
        yield from _fits(entry.default, "the default", spot)
    if entry.lookup is None:
        return
    if entry.on_miss is OnMiss.DEFAULT and entry.default is None:
        reason = "on_miss: default without a default blanks the code: write a default, or hold"
        yield "blanked-code", reason
    allowed = _listed(spot.annotation)
    if allowed is None or entry.as_ is not None:
        return
    yield from _targets(spot.field, entry.lookup, tables[entry.lookup], facility, allowed)
    if entry.on_miss is OnMiss.PASS:
        reason = f"{spot.field} takes only {_shown(allowed)}: a code that passes is held; write hold"
        yield "pass-into-list", reason


def _targets(
    name: str, lookup: str, table: CodeTable, facility: str, allowed: frozenset[str]
) -> Iterator[Wrong]:
    rows = {(code, t.code) for (campus, code), t in table.entries() if campus in (facility, ANY)}
    bad = sorted(f"{code} → {target}" for code, target in rows if target not in allowed)
    if bad:
        more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
        maps = f"{lookup} maps {', '.join(bad[:SHOWN])}{more}"
        reason = f"{name} takes only {_shown(allowed)}, but {maps}: correct the table"
        yield "bad-target", reason


def _shown(allowed: frozenset[str]) -> str:
    return ", ".join(sorted(allowed))


def _fits(value: Any, what: str, spot: Spot) -> Iterator[Wrong]:
    if spot.annotation is None:
        return
    try:
        TypeAdapter(spot.annotation).validate_python(value)
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"]
        yield "bad-constant", f"{what} {value!r} does not fit {spot.field}: {said}"


def _listed(annotation: Any) -> frozenset[str] | None:
    """Return the words that a field takes; None when it is not a list of words."""
    for part in parts_of(annotation):
        if typing.get_origin(part) is typing.Literal:
            return frozenset(str(value) for value in typing.get_args(part))
    return None
