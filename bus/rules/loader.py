"""Reads rule files, includes and code tables from a folder, and names every mistake by file and line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bus.rules.codes import CodeTable, load_tables
from bus.rules.compile import Compiler
from bus.rules.destinations import AnyDestination, load_destinations
from bus.rules.expression import Expression, ExpressionError
from bus.rules.marks import Marked, Position, RuleError, checked, read_marked
from bus.rules.routes import Route, compile_routes
from bus.rules.run import Leaf
from bus.rules.spec import Node, OrderClass, RuleFile, SharedFile
from consortium.records.model import Change, Kind

Fragments = Mapping[str, tuple[Node, Marked, Position]]
ORDERS: Mapping[Kind, OrderClass] = {
    Kind.PATIENT: OrderClass.IDENTITY,
    Kind.MERGE: OrderClass.IDENTITY,
    Kind.ENCOUNTER: OrderClass.VISIT,
    Kind.APPOINTMENT: OrderClass.VISIT,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One compiled rule."""

    spec: RuleFile
    path: Path
    marked: Marked
    match: Expression
    order: OrderClass
    waits: bool
    map: Leaf
    version: Leaf | None
    routes: tuple[Route, ...] = ()


@dataclass(slots=True)
class Loaded:
    """All rules of a folder, in file order, and every mistake found on the way."""

    rules: list[Rule] = field(default_factory=list)
    tables: dict[str, CodeTable] = field(default_factory=dict)
    destinations: Mapping[str, AnyDestination] = field(default_factory=dict)
    errors: list[RuleError] = field(default_factory=list)


def load_rules(rules_dir: Path) -> Loaded:
    """Read and compile `campuses/*/*.yaml`; mistakes are collected, not raised."""
    loaded = Loaded()
    try:
        loaded.tables = load_tables(rules_dir)
    except RuleError as error:
        loaded.errors.append(error)
    destinations = load_destinations(rules_dir)
    loaded.destinations = destinations.by_name
    loaded.errors += destinations.errors
    names: dict[str, str] = {}
    for path in sorted((rules_dir / "campuses").glob("*/*.yaml")):
        try:
            rule = compile_rule(path, rules_dir, loaded.tables, loaded.destinations)
            if rule.spec.name in names:
                raise rule.marked.error(("name",), f"the name is also in {names[rule.spec.name]}")
            names[rule.spec.name] = rule.marked.file
            loaded.rules.append(rule)
        except RuleError as error:
            loaded.errors.append(error)
    return loaded


def compile_rule(
    path: Path,
    rules_dir: Path,
    tables: Mapping[str, CodeTable],
    destinations: Mapping[str, AnyDestination],
) -> Rule:
    """Read and compile one rule file. Raises `RuleError`."""
    marked = read_marked(path, str(path.relative_to(rules_dir)))
    spec = checked(RuleFile, marked)
    compiler = Compiler(marked, tables, _fragments(spec, marked, rules_dir))
    try:
        match = Expression(spec.match)
    except ExpressionError as error:
        raise marked.error(("match",), str(error)) from error
    order = spec.order or ORDERS.get(spec.kind, OrderClass.RESULT)
    return Rule(
        spec=spec,
        path=path,
        marked=marked,
        match=match,
        order=order,
        waits=order is not OrderClass.RESULT if spec.waits is None else spec.waits,
        map=compiler.object(spec.map, Change, ("map",)),
        version=None if spec.version is None else compiler.entry(spec.version, "text", ("version",)),
        routes=compile_routes(spec, marked, destinations),
    )


def _fragments(spec: RuleFile, marked: Marked, rules_dir: Path) -> Fragments:
    fragments: dict[str, tuple[Node, Marked, Position]] = {}
    for number, name in enumerate(spec.include):
        path = rules_dir / "shared" / name
        if not path.resolve().is_relative_to((rules_dir / "shared").resolve()) or not path.is_file():
            raise marked.error(("include", number), f"no file rules/shared/{name}")
        shared = read_marked(path, str(path.relative_to(rules_dir)))
        for key, node in checked(SharedFile, shared).fragments.items():
            fragments[key] = (node, shared, ("fragments", key))
    return fragments
