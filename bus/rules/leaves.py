"""Leaves of a map as closures: one value of the message, converted or mapped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bus.rules.codes import CodeTable
from bus.rules.converters import CONVERTERS
from bus.rules.dates import ImpossibleDateError
from bus.rules.decision import Hold, HoldingError, Miss
from bus.rules.expression import Expression, ExpressionError
from bus.rules.run import Leaf, Run
from bus.rules.spec import JoinLeaf, OnMiss, PathLeaf, Scalar
from bus.rules.template import Template
from bus.sources.source import Source

__all__ = [
    "Leaf",
    "call_leaf",
    "cel_leaf",
    "condition_leaf",
    "const_leaf",
    "converted",
    "first_leaf",
    "join_leaf",
    "lookup_leaf",
    "path_leaf",
    "template_leaf",
]

Convert = Callable[[str], Any]
TEXT = CONVERTERS["text"]
QUOTED = 40
"""Characters of an unknown code that a reason quotes."""


def converted(convert: Convert, name: str, text: str, field: str) -> Any:
    """Return a text in its field's type. Raises `HoldingError` naming the field."""
    try:
        return convert(text)
    except ValueError as error:
        raise _bad(error, name, field) from error


def _bad(error: ValueError, name: str, field: str) -> HoldingError:
    code, who = "bad_field", "correct it at the sender, or the rule"
    if isinstance(error, ImpossibleDateError):
        code, who = "impossible_date", "the sender must correct it and send again"
    return HoldingError(Hold(code, f"{field} is {error}; {who}", step=f"convert {name}", field=field))


def const_leaf(value: Scalar) -> Leaf:
    """Return the leaf of a fixed value."""
    return lambda _run, _source: value


def path_leaf(path: str, convert: Convert, name: str, default: Scalar) -> Leaf:
    """Return the leaf of a value at a path."""
    if convert is TEXT:
        if default is None:
            return lambda _run, source: source.get(path)
        return lambda _run, source: source.get(path) or default

    def leaf(_run: Run, source: Source) -> Any:
        text = source.get(path)
        if text is None:
            return default
        try:
            return convert(text)
        except ValueError as error:
            raise _bad(error, name, path) from error

    return leaf


def lookup_leaf(leaf: PathLeaf, table: CodeTable, convert: Convert, name: str) -> Leaf:
    """Return the leaf of a code that a table maps; a miss is noted in the run and follows `on_miss`."""
    path, on_miss, default = leaf.path, leaf.on_miss, leaf.default

    def mapped(run: Run, source: Source) -> Any:
        text = source.get(path)
        if text is None:
            return default
        code = text if convert is TEXT else str(converted(convert, name, text, path))
        target = table.find(run.facility, code)
        run.target = target
        if target is not None:
            return target.code
        run.miss(table.name, code)
        if on_miss is OnMiss.PASS:
            return code
        if on_miss is OnMiss.DEFAULT:
            return default
        raise _missing(on_miss, table.name, run.facility, code, path)

    return mapped


def _missing(on_miss: OnMiss, table: str, facility: str, code: str, path: str) -> HoldingError:
    shown = repr(code) if len(code) <= QUOTED else f"of {len(code)} characters"
    if on_miss is OnMiss.REJECT:
        reason = f"the code {shown} of {path} is not accepted; {facility} must correct it and send again"
        return HoldingError(Hold("rejected_code", reason, step=f"lookup {table}", field=path), blocks=False)
    reason = f"the code {shown} of {path} is not in the table {table} for {facility};"
    reason += " map it (./yilian codes map), and it goes on"
    hold = Hold("unmapped_code", reason, step=f"lookup {table}", field=path, miss=Miss(table, code))
    return HoldingError(hold)


def cel_leaf(expression: Expression, convert: Convert, name: str) -> Leaf:
    """Return the leaf of an expression's value; an empty text is no value."""

    def leaf(run: Run, source: Source) -> Any:
        value = evaluated(expression, run, source, "map")
        if value is None or value == "":
            return None
        return converted(convert, name, value, "cel") if isinstance(value, str) else value

    return leaf


def template_leaf(template: Template, convert: Convert, name: str) -> Leaf:
    """Return the leaf of a text made of values."""

    def filled(_run: Run, source: Source) -> Any:
        text = template.fill(source)
        return None if text is None else converted(convert, name, text, "template")

    return filled


def call_leaf(
    function: Callable[..., Any], called: str, given: Sequence[Leaf], convert: Convert, name: str
) -> Leaf:
    """Return the leaf of a function's value; it is not asked when all of its arguments are absent."""

    def value(run: Run, source: Source) -> Any:
        texts = [None if (one := leaf(run, source)) is None else str(one) for leaf in given]
        if all(text is None for text in texts):
            return None
        try:
            made = function(*texts)
        except ValueError as error:
            reason = f"{called}: {error}; correct it at the sender, or the rule"
            raise HoldingError(Hold("bad_field", reason, step=f"call {called}", field=called)) from error
        return converted(convert, name, made, called) if isinstance(made, str) else made

    return value


def evaluated(expression: Expression, run: Run, source: Source, step: str) -> Any:
    """Return an expression's value on a source; its failure holds the message."""
    try:
        return expression.evaluate(run.context(source, msg=expression.reads_msg))
    except ExpressionError as error:
        raise HoldingError(Hold("bad_expression", f"{error}; correct the rule", step=step)) from error


def condition_leaf(expression: Expression) -> Leaf:
    """Return the closure of a condition: true or false of a source."""

    def condition(run: Run, source: Source) -> Any:
        return evaluated(expression, run, source, "when") is True

    return condition


def join_leaf(leaf: JoinLeaf, when: Leaf | None, convert: Convert, name: str) -> Leaf:
    """Return the leaf of repeated parts as one text; a part without a value is an empty line of it."""

    def joined(run: Run, source: Source) -> Any:
        parts = source.each(leaf.each)
        if when is not None:
            parts = [part for part in parts if when(run, part)]
        texts = [part.get(leaf.path) for part in parts]
        if all(text is None for text in texts):
            return None
        whole = leaf.join.join(text or "" for text in texts)
        return converted(convert, name, whole, f"{leaf.each}/{leaf.path}")

    return joined


def first_leaf(leaves: Sequence[Leaf]) -> Leaf:
    """Return the leaf of the first value there is."""

    def first(run: Run, source: Source) -> Any:
        for leaf in leaves:
            value = leaf(run, source)
            if value is not None:
                return value
        return None

    return first
