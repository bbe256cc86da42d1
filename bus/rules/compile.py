"""From a rule's map to closures: each leaf and object becomes one function of a run and a source.

Everything that can be known before a message comes is checked here: fields of the canonical model,
converters, code
tables, CEL, fragments.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Union

from pydantic import BaseModel

from bus.rules.codes import CodeTable
from bus.rules.converters import CONVERTERS
from bus.rules.expression import Expression, ExpressionError
from bus.rules.leaves import Leaf, cel_leaf, const_leaf, first_leaf, join_leaf, lookup_leaf, path_leaf
from bus.rules.marks import Marked, Position
from bus.rules.nodes import Shape, each_node, list_of_nodes, object_node
from bus.rules.spec import CelLeaf, ConstLeaf, Entry, FirstLeaf, JoinLeaf, Node, PathLeaf
from consortium.records.model import Coded

BY_TYPE: Mapping[str, str] = {
    "date": "date",
    "datetime": "datetime",
    "Decimal": "decimal",
    "int": "integer",
    "bool": "bool",
    "bytes": "bytes",
}
"""Converter of a leaf that names none, by the type of its field."""
CONTROL = frozenset({"each", "when", "use"})


@dataclass(frozen=True, slots=True)
class Target:
    """What a canonical field takes."""

    model: type[BaseModel] | None
    many: bool
    converter: str


class Compiler:
    """Compiles the map of one file; `marked` is where its errors point to."""

    def __init__(
        self,
        marked: Marked,
        tables: Mapping[str, CodeTable],
        fragments: Mapping[str, tuple[Node, Marked, Position]],
    ) -> None:
        self.marked = marked
        self.tables = tables
        self.fragments = fragments

    def object(self, node: Node, model: type[BaseModel], at: Position) -> Leaf:
        """Compile an object of `model`, each field by its own kind. Raises `RuleError`."""
        fields: dict[str, Leaf] = {}
        if node.use is not None:
            fields.update(self._fragment(node.use, model, at))
        for name, entry in (node.__pydantic_extra__ or {}).items():
            fields[name] = self._field(entry, model, name, (*at, name))
        if not fields:
            raise self.marked.error(at, "an object without fields")
        coded = fields.get("code") if issubclass(model, Coded) else None
        shape = Shape(tuple(fields.items()), _constants(node), coded is not None)
        inner = object_node(shape, self._condition(node.when, (*at, "when")))
        return each_node(node.each, inner) if node.each is not None else inner

    def entry(self, entry: Entry, converter: str, at: Position) -> Leaf:
        """Compile a leaf. Raises `RuleError`."""
        if isinstance(entry, str):
            return path_leaf(entry, CONVERTERS[converter], converter, None)
        if isinstance(entry, PathLeaf):
            return self._path(entry, converter, at)
        if isinstance(entry, ConstLeaf):
            return const_leaf(entry.const)
        if isinstance(entry, CelLeaf):
            name = entry.as_ or converter
            return cel_leaf(self._expression(entry.cel, (*at, "cel")), CONVERTERS[name], name)
        if isinstance(entry, JoinLeaf):
            name = entry.as_ or converter
            return join_leaf(entry, self._condition(entry.when, (*at, "when")), CONVERTERS[name], name)
        if isinstance(entry, FirstLeaf):
            return first_leaf(
                [self.entry(e, converter, (*at, "first", i)) for i, e in enumerate(entry.first)]
            )
        raise self.marked.error(
            at, "an object where a value is needed: write a path, or {path, const, cel, first}"
        )

    def _path(self, leaf: PathLeaf, converter: str, at: Position) -> Leaf:
        name = leaf.as_ or ("text" if leaf.lookup else converter)
        if leaf.lookup is None:
            return path_leaf(leaf.path, CONVERTERS[name], name, leaf.default)
        table = self.tables.get(leaf.lookup)
        if table is None:
            raise self.marked.error((*at, "lookup"), f"no code table rules/codes/{leaf.lookup}.csv")
        return lookup_leaf(leaf, table, CONVERTERS[name], name)

    def _field(self, entry: Entry, model: type[BaseModel], name: str, at: Position) -> Leaf:
        info = model.model_fields.get(name)
        if info is None:
            known = ", ".join(model.model_fields)
            raise self.marked.error(at, f"{model.__name__} has no field {name!r}; it has {known}")
        target = target_of(info.annotation)
        if target.model is None:
            return self.entry(entry, target.converter, at)
        if isinstance(entry, Node):
            compiled = self.object(entry, target.model, at)
            return compiled if entry.each is not None or not target.many else list_of_nodes([compiled])
        if isinstance(entry, list) and target.many:
            return list_of_nodes([self.object(n, target.model, (*at, i)) for i, n in enumerate(entry)])
        raise self.marked.error(
            at, f"{name!r} is an object ({target.model.__name__}): write its fields below it"
        )

    def _fragment(self, name: str, model: type[BaseModel], at: Position) -> dict[str, Leaf]:
        found = self.fragments.get(name)
        if found is None:
            raise self.marked.error((*at, "use"), f"no fragment {name!r} in the included files")
        node, marked, position = found
        inner = Compiler(marked, self.tables, self.fragments)
        if node.use == name:
            raise marked.error((*position, "use"), "a fragment that uses itself")
        fields = inner._fragment(node.use, model, position) if node.use is not None else {}
        for key, entry in (node.__pydantic_extra__ or {}).items():
            fields[key] = inner._field(entry, model, key, (*position, key))
        return fields

    def _condition(self, text: str | None, at: Position) -> Expression | None:
        return None if text is None else self._expression(text, at)

    def _expression(self, text: str, at: Position) -> Expression:
        try:
            return Expression(text)
        except ExpressionError as error:
            raise self.marked.error(at, str(error)) from error


def _constants(node: Node) -> frozenset[str]:
    return frozenset(
        name for name, entry in (node.__pydantic_extra__ or {}).items() if isinstance(entry, ConstLeaf)
    )


def target_of(annotation: Any) -> Target:
    """Return what a field of the canonical model takes, from its annotation."""
    for part in _parts(annotation):
        origin = typing.get_origin(part)
        if origin is tuple:
            inner = target_of(typing.get_args(part)[0])
            return Target(inner.model, many=True, converter=inner.converter)
        if isinstance(part, type) and issubclass(part, BaseModel):
            return Target(part, many=False, converter="text")
        name = getattr(part, "__name__", "")
        if name in BY_TYPE:
            return Target(None, many=False, converter=BY_TYPE[name])
        if name == "AwareDatetime":
            return Target(None, many=False, converter="datetime")
    return Target(None, many=False, converter="text")


def _parts(annotation: Any) -> list[Any]:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _parts(typing.get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [p for a in typing.get_args(annotation) if a is not type(None) for p in _parts(a)]
    return [annotation]
