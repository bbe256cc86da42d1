"""Reads rule files, includes and code tables from a folder, and names every mistake by its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bus.rules.change import change_leaf
from bus.rules.code_files import load_tables
from bus.rules.codes import CodeTable
from bus.rules.compile import Compiler, Where, nearest
from bus.rules.destinations import AnyDestination, load_destinations
from bus.rules.enclosed import Opener
from bus.rules.expression import Expression
from bus.rules.marks import Marked, Place, Position, RuleError, checked, read_marked, validated
from bus.rules.routes import Route, compile_routes
from bus.rules.run import Leaf, Run
from bus.rules.schematron import SchematronError, checked_leaf, read_schematron
from bus.rules.spec import Node, OrderClass, RuleFile, SharedFile
from bus.rules.stylesheet import StylesheetError, read_stylesheet, transformed_leaf
from bus.rules.systems import FILE as SYSTEMS
from bus.rules.watch import Watch
from bus.sources.source import Source
from consortium.records.model import Change, Kind
from consortium.referral.capabilities import FILE as CAPABILITIES
from runtime.campuses import FILE as CAMPUS

Fragments = Mapping[str, tuple[Node, Marked, Position]]
ORDERS: Mapping[Kind, OrderClass] = {
    Kind.PATIENT: OrderClass.IDENTITY,
    Kind.MERGE: OrderClass.IDENTITY,
    Kind.ENCOUNTER: OrderClass.VISIT,
    Kind.APPOINTMENT: OrderClass.VISIT,
}
_OF_A_MAP = (
    "kind", "map", "order", "waits", "blocks", "version", "document", "schematron", "xslt", "include",
)  # fmt: skip
"""Keys that say nothing without a map."""


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
    opener: Opener | None = None
    """What opens the document that the map reads in the message's place."""

    @property
    def splits(self) -> str | None:
        """The path of the parts that are changes of their own; None: the message is one change."""
        return None if self.spec.map is None else self.spec.map.each

    @property
    def onward(self) -> bool:
        """Whether it only sends on what is recorded without a rule (`bus.rules.onward`)."""
        return self.spec.map is None


@dataclass(slots=True)
class Loaded:
    """All rules of a folder, in file order, and every mistake found on the way."""

    rules: list[Rule] = field(default_factory=list)
    tables: dict[str, CodeTable] = field(default_factory=dict)
    destinations: Mapping[str, AnyDestination] = field(default_factory=dict)
    destination_marks: Mapping[str, Marked] = field(default_factory=dict)
    """Where the keys of each destination's file are."""
    errors: list[RuleError] = field(default_factory=list)


def names_of(rule: Rule) -> set[str]:
    """Return what a rule is chosen by: its name, its campus and the folder of its campus."""
    return {rule.spec.name, rule.spec.facility, rule.path.parent.name}


def load_rules(rules_dir: Path, watch: Watch | None = None) -> Loaded:
    """Read and compile the rules of all campuses; mistakes are collected, not raised. `watch` looks on."""
    errors: list[RuleError] = []
    loaded = Loaded(tables=load_tables(rules_dir, errors))
    destinations = load_destinations(rules_dir)
    loaded.destinations, loaded.destination_marks = destinations.by_name, destinations.marks
    errors += destinations.errors
    names: dict[str, str] = {}
    for path in sorted((rules_dir / "campuses").glob("*/*.yaml")):
        if path.name in (CAMPUS, CAPABILITIES, SYSTEMS):
            continue
        rule = compile_rule(path, rules_dir, loaded, errors, watch)
        if rule is None:
            continue
        if rule.spec.name in names:
            reason = f"the name is also in {names[rule.spec.name]}: give this rule another"
            errors.append(rule.marked.error(("name",), reason, "duplicate-name"))
        names.setdefault(rule.spec.name, rule.marked.file)
        loaded.rules.append(rule)
    # A mistake in a shared fragment is found again by each rule that uses it.
    loaded.errors = list({str(error): error for error in errors}.values())
    return loaded


def compile_rule(
    path: Path,
    rules_dir: Path,
    known: Loaded,
    errors: list[RuleError],
    watch: Watch | None = None,
) -> Rule | None:
    """Read and compile one rule file. Its mistakes are added to `errors`; then there is no rule."""
    before = len(errors)
    try:
        marked = read_marked(path, path.relative_to(rules_dir).as_posix())
    except RuleError as error:
        errors.append(error)
        return None
    spec = validated(RuleFile, marked, errors)
    if spec is None:
        return None
    compiler = Compiler(spec.name, marked, known.tables, {}, errors, watch)
    rule = _compiled(spec, path, compiler, rules_dir, known.destinations)
    return rule if len(errors) == before else None


def _compiled(
    spec: RuleFile,
    path: Path,
    compiler: Compiler,
    rules_dir: Path,
    destinations: Mapping[str, AnyDestination],
) -> Rule | None:
    if spec.map is None or spec.kind is None:
        return _onward(spec, path, compiler, destinations)
    compiler.fragments = _fragments(spec, compiler.marked, rules_dir, compiler.errors)
    finish = partial(change_leaf, spec.kind) if spec.map.each is not None else None
    made = compiler.object(spec.map, Change, Where(("map",)), finish)
    if spec.map.each is not None and spec.document is not None:
        reason = "a clinical document is about one patient: take map.each out"
        compiler.errors.append(compiler.marked.error(("map", "each"), reason, "bad-key"))
    if spec.xslt is not None:
        made = _transformed(spec.xslt, made, compiler, rules_dir)
    if spec.schematron:
        made = _checked(spec.schematron, made, compiler, rules_dir)
    order = spec.order or ORDERS.get(spec.kind, OrderClass.RESULT)
    version = None
    try:
        if spec.version is not None:
            version = compiler.entry(spec.version, "text", Where(("version",), "version"))
        return Rule(
            spec=spec,
            path=path,
            marked=compiler.marked,
            match=compiler.expression(spec.match, Where(("match",))),
            order=order,
            waits=order is not OrderClass.RESULT if spec.waits is None else spec.waits,
            map=made,
            version=version,
            routes=compile_routes(spec, compiler.marked, destinations, compiler.watch),
            opener=Opener(spec.document.path, spec.document.patient) if spec.document else None,
        )
    except RuleError as error:
        compiler.errors.append(error)
        return None


def _onward(
    spec: RuleFile, path: Path, compiler: Compiler, destinations: Mapping[str, AnyDestination]
) -> Rule | None:
    """Compile a rule that only sends on what is recorded without one."""
    marked = compiler.marked
    wrong = [key for key in _OF_A_MAP if key in marked.data]
    for key in wrong:
        reason = f"{key} belongs to a rule with kind and map: write both, or take it out"
        compiler.errors.append(marked.error((key,), reason, "missing-key"))
    if not spec.destinations:
        reason = "a rule without kind and map only sends on: write destinations, or kind and map"
        compiler.errors.append(marked.error(("name",), reason, "missing-key"))
    try:
        return Rule(
            spec=spec,
            path=path,
            marked=marked,
            match=compiler.expression(spec.match, Where(("match",))),
            order=OrderClass.RESULT,
            waits=False,
            map=_no_map,
            version=None,
            routes=compile_routes(spec, marked, destinations, compiler.watch),
        )
    except RuleError as error:
        compiler.errors.append(error)
        return None


def _no_map(run: Run, source: Source) -> None:
    del run, source


def _transformed(name: str, made: Leaf, compiler: Compiler, rules_dir: Path) -> Leaf:
    folder = (rules_dir / "xslt").resolve()
    path = folder / name
    if not path.resolve().is_relative_to(folder) or not path.is_file():
        reason = f"no file rules/xslt/{name}; {nearest(name, (found.name for found in folder.glob('*.xsl')))}"
        compiler.errors.append(compiler.marked.error(("xslt",), reason, "unknown-stylesheet"))
        return made
    try:
        return transformed_leaf(read_stylesheet(path), name, made)
    except StylesheetError as error:
        place = Place(error.line)
        compiler.errors.append(RuleError(f"xslt/{name}", place, str(error), "bad-stylesheet"))
        return made


def _checked(names: Sequence[str], made: Leaf, compiler: Compiler, rules_dir: Path) -> Leaf:
    folder = (rules_dir / "schematron").resolve()
    schemas = []
    for number, name in enumerate(names):
        path = folder / name
        if not path.resolve().is_relative_to(folder) or not path.is_file():
            files = (found.name for found in folder.glob("*.sch"))
            reason = f"no file rules/schematron/{name}; {nearest(name, files)}"
            compiler.errors.append(
                compiler.marked.error(("schematron", number), reason, "unknown-schematron")
            )
            continue
        try:
            schemas.append(read_schematron(path))
        except SchematronError as error:
            place = Place(error.line)
            compiler.errors.append(RuleError(f"schematron/{name}", place, str(error), "bad-schematron"))
    return checked_leaf(schemas, made) if schemas else made


def _fragments(spec: RuleFile, marked: Marked, rules_dir: Path, errors: list[RuleError]) -> Fragments:
    fragments: dict[str, tuple[Node, Marked, Position]] = {}
    there = (rules_dir / "shared").resolve()
    for number, name in enumerate(spec.include):
        path = rules_dir / "shared" / name
        if not path.resolve().is_relative_to(there) or not path.is_file():
            files = (found.name for found in there.glob("*.yaml"))
            reason = f"no file rules/shared/{name}; {nearest(name, files)}"
            errors.append(marked.error(("include", number), reason, "unknown-include"))
            continue
        try:
            shared = read_marked(path, path.relative_to(rules_dir).as_posix())
        except RuleError as error:
            errors.append(error)
            continue
        file = validated(SharedFile, shared, errors)
        for key, node in (file.fragments if file else {}).items():
            fragments[key] = (node, shared, ("fragments", key))
    return fragments


def load_shared(path: Path, rules_dir: Path) -> tuple[Mapping[str, Node], Marked]:
    """Read a file below `rules/shared`: its fragments, and where they are. Raises `RuleError`."""
    marked = read_marked(path, path.relative_to(rules_dir).as_posix())
    return checked(SharedFile, marked).fragments, marked
