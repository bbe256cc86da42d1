"""Objects of a map as closures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bus.rules.decision import HoldingError
from bus.rules.run import Leaf, Run
from bus.sources.source import Source


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of an object."""

    fields: tuple[tuple[str, Leaf], ...]
    constants: frozenset[str]
    """Fields that say nothing of the message; an object of these alone is no object."""
    coded: bool
    """A `Coded`, whose name and system its code table may know."""


def object_node(shape: Shape, when: Leaf | None) -> Leaf:
    """Return the closure of one object; None when the message has a value for none of its fields."""
    fields, constants = shape.fields, shape.constants
    if shape.coded:
        return _coded_node(dict(fields), constants, when)

    def build(run: Run, source: Source) -> Any:
        if when is not None and not when(run, source):
            return None
        made: dict[str, Any] = {}
        said = False
        for name, leaf in fields:
            value = leaf(run, source)
            if value is not None:
                made[name] = value
                said = said or (name not in constants and value != [])
        return made if said or len(constants) == len(fields) else None

    return build


def _coded_node(fields: dict[str, Leaf], constants: frozenset[str], when: Leaf | None) -> Leaf:
    code = fields.pop("code")
    rest = tuple(fields.items())

    def build(run: Run, source: Source) -> Any:
        if when is not None and not when(run, source):
            return None
        run.target = None
        value = code(run, source)
        target = run.found()
        made = {name: text for name, leaf in rest if (text := leaf(run, source)) is not None}
        if value is None:
            return made if made.keys() - constants else None
        made["code"] = value
        if target is not None:
            made.update(
                {k: v for k, v in (("name", target.name), ("system", target.system)) if v is not None}
            )
        return made

    return build


def each_node(path: str, inner: Leaf) -> Leaf:
    """Return the closure of one object for each repeated part."""

    def build(run: Run, source: Source) -> Any:
        made = []
        for number, part in enumerate(source.each(path), start=1):
            try:
                value = inner(run, part)
            except HoldingError as error:
                raise error.inside(f"{path}[{number}]") from error
            if value is not None:
                made.append(value)
        return made

    return build


def list_of_nodes(nodes: Sequence[Leaf]) -> Leaf:
    """Return the closure of a list written object by object; those that are nothing are left out."""

    def build(run: Run, source: Source) -> Any:
        values: list[Any] = []
        for node in nodes:
            value = node(run, source)
            if isinstance(value, list):
                values.extend(value)
            elif value is not None:
                values.append(value)
        return values

    return build
