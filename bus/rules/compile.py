"""From a rule's map to closures: each leaf and object becomes one function of a run and a source.

Everything that can be known before a message comes is checked here: fields of the canonical model,
converters, code tables, CEL, fragments.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from bus.rules.codes import CodeTable
from bus.rules.converters import CONVERTERS
from bus.rules.expression import Expression, ExpressionError
from bus.rules.functions import FUNCTIONS
from bus.rules.leaves import (
    Leaf,
    call_leaf,
    cel_leaf,
    condition_leaf,
    const_leaf,
    first_leaf,
    join_leaf,
    lookup_leaf,
    path_leaf,
    template_leaf,
)
from bus.rules.marks import Marked, Position, RuleError
from bus.rules.nodes import Shape, each_node, list_of_nodes, object_node
from bus.rules.record_leaf import mistake_in, record_leaf
from bus.rules.spec import (
    CallLeaf,
    CelLeaf,
    ConstLeaf,
    Entry,
    FirstLeaf,
    JoinLeaf,
    Node,
    PathLeaf,
    RecordLeaf,
    TemplateLeaf,
)
from bus.rules.target import target_of
from bus.rules.template import TemplateError, read_template
from bus.rules.watch import Part, Spot, Watch
from consortium.records.model import Coded


@dataclass(frozen=True, slots=True)
class Where:
    """A position in the rule's file, and the field of the canonical model that it fills."""

    at: Position
    field: str = ""
    annotation: Any = None
    below: bool = False
    """Whether an `each` stands around it."""

    def key(self, *steps: str | int) -> Where:
        """Return a position inside, of the same field."""
        return replace(self, at=(*self.at, *steps))

    def into(self, name: str, annotation: Any) -> Where:
        """Return the position of a field of the object here."""
        return Where((*self.at, name), f"{self.field}.{name}" if self.field else name, annotation, self.below)


class Compiler:
    """Compiles the map of one rule. `marked` is where its errors point to; they are collected in `errors`."""

    def __init__(
        self,
        rule: str,
        marked: Marked,
        tables: Mapping[str, CodeTable],
        fragments: Mapping[str, tuple[Node, Marked, Position]],
        errors: list[RuleError],
        watch: Watch | None = None,
    ) -> None:
        self.rule = rule
        self.marked = marked
        self.tables = tables
        self.fragments = fragments
        self.errors = errors
        self.watch = watch

    def object(
        self,
        node: Node,
        model: type[BaseModel],
        where: Where,
        finish: Callable[[Leaf], Leaf] | None = None,
    ) -> Leaf:
        """Compile an object of `model`, each field by its own kind. A field that is wrong is left out.

        `finish` makes of the closure of one object another, before `each` asks it of every part.
        """
        inside = replace(where, below=where.below or node.each is not None, annotation=None)
        fields: dict[str, Leaf] = {}
        if node.use is not None:
            fields.update(self._fragment(node.use, model, inside, ()))
        fields.update(self._fields(node, model, inside))
        if not node.__pydantic_extra__ and node.use is None:
            self._wrong(where, "an object without fields: write its fields, or leave it out", "no-fields")
        coded = "code" in fields and issubclass(model, Coded)
        shape = Shape(tuple(fields.items()), _constants(node), coded)
        made = object_node(shape, self._condition(node.when, inside.key("when")))
        made = self._watched(inside, Part.OBJECT, node, made)
        made = made if finish is None else finish(made)
        if node.each is None:
            return made
        return self._watched(where.key("each"), Part.EACH, node, each_node(node.each, made), node.each)

    def entry(self, entry: Entry, converter: str, where: Where) -> Leaf:
        """Compile a leaf. Raises `RuleError`."""
        return self._watched(where, Part.LEAF, entry, self._leaf(entry, converter, where))

    def _leaf(self, entry: Entry, converter: str, where: Where) -> Leaf:
        if isinstance(entry, str):
            return path_leaf(entry, CONVERTERS[converter], converter, None, where.field)
        if isinstance(entry, PathLeaf):
            return self._path(entry, converter, where)
        if isinstance(entry, ConstLeaf):
            return const_leaf(entry.const)
        if isinstance(entry, CelLeaf):
            name = entry.as_ or converter
            expression = self.expression(entry.cel, where.key("cel"))
            return cel_leaf(expression, CONVERTERS[name], name, where.field)
        if isinstance(entry, JoinLeaf):
            name = entry.as_ or converter
            when = self._condition(entry.when, replace(where, below=True).key("when"))
            return join_leaf(entry, when, CONVERTERS[name], name, where.field)
        if isinstance(entry, TemplateLeaf):
            return self._template(entry, converter, where)
        if isinstance(entry, CallLeaf):
            return self._call(entry, converter, where)
        if isinstance(entry, RecordLeaf):
            return self._record(entry, converter, where)
        if isinstance(entry, FirstLeaf):
            return first_leaf([self._choice(e, converter, where, i) for i, e in enumerate(entry.first)])
        reason = "an object where a value is needed: write a path, or {path, const, cel, first}"
        raise self.marked.error(where.at, reason, "not-a-value")

    def _template(self, entry: TemplateLeaf, converter: str, where: Where) -> Leaf:
        name = entry.as_ or converter
        try:
            return template_leaf(read_template(entry.template), CONVERTERS[name], name, where.field)
        except TemplateError as error:
            place = self.marked.inside(where.key("template").at, 1, error.column)
            raise RuleError(self.marked.file, place, str(error), "bad-template") from error

    def _call(self, entry: CallLeaf, converter: str, where: Where) -> Leaf:
        function = FUNCTIONS.get(entry.call)
        if function is None:
            reason = f"no function {entry.call!r}; {nearest(entry.call, FUNCTIONS)}"
            raise self.marked.error(where.key("call").at, reason, "unknown-function")
        if len(entry.with_) != len(function.takes):
            reason = f"{entry.call} takes {len(function.takes)}: {', '.join(function.takes)}"
            raise self.marked.error(where.key("with").at, reason, "wrong-arguments")
        inside = replace(where, annotation=None)
        given = [self.entry(e, "text", inside.key("with", i)) for i, e in enumerate(entry.with_)]
        name = entry.as_ or converter
        return call_leaf(entry, function.run, given, CONVERTERS[name], name, where.field)

    def _record(self, entry: RecordLeaf, converter: str, where: Where) -> Leaf:
        if wrong := mistake_in(entry.record, entry.field):
            raise self.marked.error(where.key("field").at, wrong, "unknown-field")
        number = self.entry(entry.number, "text", replace(where, annotation=None).key("number"))
        name = entry.as_ or converter
        return record_leaf(entry, number, CONVERTERS[name], name, where.field)

    def _choice(self, entry: Entry, converter: str, where: Where, number: int) -> Leaf:
        inside = where.key("first", number)
        return self._watched(inside, Part.CHOICE, entry, self.entry(entry, converter, inside))

    def _path(self, leaf: PathLeaf, converter: str, where: Where) -> Leaf:
        name = leaf.as_ or ("text" if leaf.lookup else converter)
        if leaf.lookup is None:
            return path_leaf(leaf.path, CONVERTERS[name], name, leaf.default, where.field)
        table = self.tables.get(leaf.lookup)
        if table is None:
            reason = f"no code table rules/codes/{leaf.lookup}.csv; {nearest(leaf.lookup, self.tables)}"
            raise self.marked.error(where.key("lookup").at, reason, "unknown-table")
        return lookup_leaf(leaf, table, CONVERTERS[name], name, where.field)

    def _fields(self, node: Node, model: type[BaseModel], where: Where) -> dict[str, Leaf]:
        fields: dict[str, Leaf] = {}
        for name, entry in (node.__pydantic_extra__ or {}).items():
            try:
                fields[name] = self._field(entry, model, name, where)
            except RuleError as error:
                self.errors.append(error)
        return fields

    def _field(self, entry: Entry, model: type[BaseModel], name: str, around: Where) -> Leaf:
        info = model.model_fields.get(name)
        if info is None:
            reason = f"{model.__name__} has no field {name!r}; it has {', '.join(model.model_fields)}"
            raise self.marked.error((*around.at, name), reason, "unknown-field")
        target = target_of(info.annotation)
        where = around.into(name, info.rebuild_annotation())
        if target.model is None:
            return self.entry(entry, target.converter, where)
        if isinstance(entry, Node):
            compiled = self.object(entry, target.model, where)
            return compiled if entry.each is not None or not target.many else list_of_nodes([compiled])
        if isinstance(entry, list) and target.many:
            nodes = [self.object(n, target.model, where.key(i)) for i, n in enumerate(entry)]
            return list_of_nodes(nodes)
        reason = f"{name!r} is an object ({target.model.__name__}): write its fields below it"
        raise self.marked.error(where.at, reason, "not-an-object")

    def _fragment(
        self, name: str, model: type[BaseModel], where: Where, inside: tuple[str, ...]
    ) -> dict[str, Leaf]:
        found = self.fragments.get(name)
        if found is None:
            reason = f"no fragment {name!r} in the included files; {nearest(name, self.fragments)}"
            self._wrong(where.key("use"), reason, "unknown-fragment")
            return {}
        if name in inside:
            self._wrong(where.key("use"), f"the fragment {name!r} uses itself", "fragment-loop")
            return {}
        node, marked, position = found
        other = Compiler(self.rule, marked, self.tables, self.fragments, self.errors, self.watch)
        there = replace(where, at=position)
        fields = {} if node.use is None else other._fragment(node.use, model, there, (*inside, name))
        return fields | other._fields(node, model, there)

    def _condition(self, text: str | None, where: Where) -> Leaf | None:
        if text is None:
            return None
        try:
            made = condition_leaf(self.expression(text, where), where.field)
        except RuleError as error:
            self.errors.append(error)
            return None
        return self._watched(replace(where, annotation=None), Part.WHEN, None, made, text)

    def expression(self, text: str, where: Where) -> Expression:
        """Compile an expression. Raises `RuleError`."""
        try:
            return Expression(text)
        except ExpressionError as error:
            place = self.marked.inside(where.at, error.line, error.column)
            raise RuleError(self.marked.file, place, str(error), "bad-expression") from error

    def _wrong(self, where: Where, message: str, code: str) -> None:
        self.errors.append(self.marked.error(where.at, message, code))

    def _watched(self, where: Where, part: Part, entry: Entry | None, leaf: Leaf, text: str = "") -> Leaf:
        if self.watch is None:
            return leaf
        spot = Spot(
            rule=self.rule,
            file=self.marked.file,
            place=self.marked.place(where.at),
            part=part,
            field=where.field,
            annotation=where.annotation,
            entry=entry,
            text=text,
            paths_below=where.below,
        )
        return self.watch.leaf(spot, leaf)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return what to do about a name nobody knows: the one that was meant, or those there are."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, 1)
    if close:
        return f"did you mean {close[0]}?"
    return f"there are {', '.join(names)}" if names else "there are none"


def _constants(node: Node) -> frozenset[str]:
    return frozenset(
        name for name, entry in (node.__pydantic_extra__ or {}).items() if isinstance(entry, ConstLeaf)
    )
