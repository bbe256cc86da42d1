"""Leaves of a map as closures: one value of the message, converted or mapped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bus.rules.codes import CodeTable
from bus.rules.converters import CONVERTERS
from bus.rules.dates import ImpossibleDateError
from bus.rules.decision import Hold, HoldingError, Miss
from bus.rules.expression import Expression, ExpressionError
from bus.rules.paths import fields_in
from bus.rules.run import Leaf, Run
from bus.rules.spec import (
    CallLeaf,
    CelLeaf,
    Entry,
    FirstLeaf,
    JoinLeaf,
    OnMiss,
    PathLeaf,
    RecordLeaf,
    Scalar,
    TemplateLeaf,
)
from bus.rules.template import Template, read_template
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


def converted(convert: Convert, name: str, text: str, field: str, target: str = "") -> Any:
    """Return a text in its field's type. Raises `HoldingError` naming the field, and what it was for."""
    try:
        return convert(text)
    except ValueError as error:
        raise _bad(error, name, field, target) from error


def _bad(error: ValueError, name: str, field: str, target: str) -> HoldingError:
    code, who = "bad_field", "correct it at the sender, or the rule"
    if isinstance(error, ImpossibleDateError):
        code, who = "impossible_date", "the sender must correct it and send again"
    reason = f"{field}{written_to(target, field)} is {error}; {who}"
    hold = Hold(code, reason, step=f"convert {name}", field=field, target=target or None)
    return HoldingError(hold)


def written_to(target: str, field: str = "") -> str:
    """Return what a reason says of the field that was to be written; nothing where it is named already."""
    return f" (for {target})" if target and target != field else ""


def read_by(paths: Sequence[str], target: str) -> str:
    """Return the field that a failing step is named by: what it reads, where that is one path alone."""
    return paths[0] if len(set(paths)) == 1 else target


def const_leaf(value: Scalar) -> Leaf:
    """Return the leaf of a fixed value."""
    return lambda _run, _source: value


def path_leaf(path: str, convert: Convert, name: str, default: Scalar, target: str = "") -> Leaf:
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
            raise _bad(error, name, path, target) from error

    return leaf


def lookup_leaf(
    leaf: PathLeaf, table: CodeTable, convert: Convert, name: str, target_field: str = ""
) -> Leaf:
    """Return the leaf of a code that a table maps; a miss is noted in the run and follows `on_miss`."""
    path, on_miss, default = leaf.path, leaf.on_miss, leaf.default
    find, always, dated, added = table.find, table.always, table.dated, table.dated_added

    def mapped(run: Run, source: Source) -> Any:
        text = source.get(path)
        if text is None:
            return default
        code = text if convert is TEXT else str(converted(convert, name, text, path, target_field))
        facility = run.facility
        target = find(facility, code, run.day()) if dated or added else always(facility, code)
        run.target = target
        if target is not None:
            return target.code
        run.miss(table.name, code)
        run.other_days = _other_days(table, run.facility, code) if table.has_dates else ""
        if on_miss is OnMiss.PASS:
            return code
        if on_miss is OnMiss.DEFAULT:
            return default
        raise _missing(on_miss, table.name, run, code, path, target_field)

    return mapped


def _missing(on_miss: OnMiss, name: str, run: Run, code: str, path: str, target: str) -> HoldingError:
    facility = run.facility
    shown = repr(code) if len(code) <= QUOTED else f"of {len(code)} characters"
    step, into = f"lookup {name}", target or None
    if on_miss is OnMiss.REJECT:
        reason = f"the code {shown} of {path} is not accepted; {facility} must correct it and send again"
        return HoldingError(Hold("rejected_code", reason, step=step, field=path, target=into), blocks=False)
    reason = f"the code {shown} of {path} is not in the table {name} for {facility}"
    reason += f" on {run.day()}, but {run.other_days};" if run.other_days else ";"
    reason += " map it (./yilian codes map), and it goes on"
    hold = Hold("unmapped_code", reason, step=step, field=path, target=into, miss=Miss(name, code))
    return HoldingError(hold)


def _other_days(table: CodeTable, facility: str, code: str) -> str:
    """Return the days on which a code that missed does hold; nothing where the table never knew it."""
    return ", ".join(f"{one.period()} ({one.code})" for one in table.periods(facility, code))


def cel_leaf(expression: Expression, convert: Convert, name: str, target: str = "") -> Leaf:
    """Return the leaf of an expression's value; an empty text is no value."""
    field = read_by(fields_in(expression.text), target) or "cel"

    def leaf(run: Run, source: Source) -> Any:
        value = evaluated(expression, run, source, "map", target)
        if value is None or value == "":
            return None
        return converted(convert, name, value, field, target) if isinstance(value, str) else value

    return leaf


def template_leaf(template: Template, convert: Convert, name: str, target: str = "") -> Leaf:
    """Return the leaf of a text made of values."""
    field = read_by(template.paths, target) or "template"

    def filled(_run: Run, source: Source) -> Any:
        text = template.fill(source)
        return None if text is None else converted(convert, name, text, field, target)

    return filled


def call_leaf(
    leaf: CallLeaf,
    function: Callable[..., Any],
    given: Sequence[Leaf],
    convert: Convert,
    name: str,
    target: str = "",
) -> Leaf:
    """Return the leaf of a function's value; it is not asked when all of its arguments are absent."""
    called = leaf.call
    paths = [path for entry in leaf.with_ for path in paths_read(entry)]
    field = read_by(paths, target) or called

    def value(run: Run, source: Source) -> Any:
        texts = [None if (one := asked(run, source)) is None else str(one) for asked in given]
        if all(text is None for text in texts):
            return None
        try:
            made = function(*texts)
        except ValueError as error:
            raise _refused(error, called, field, target) from error
        except Exception as error:
            raise _broken(error, called, field, target) from error
        return converted(convert, name, made, field, target) if isinstance(made, str) else made

    return value


def _refused(error: ValueError, called: str, field: str, target: str) -> HoldingError:
    reason = f"{called} of {field}{written_to(target, field)}: {error}; correct it at the sender, or the rule"
    hold = Hold("bad_field", reason, step=f"call {called}", field=field, target=target or None)
    return HoldingError(hold)


def _broken(error: Exception, called: str, field: str, target: str) -> HoldingError:
    # Not the error's own text: it may quote a value.
    reason = f"{called} of {field}{written_to(target, field)}: it failed with {type(error).__name__}; it is a"
    reason += " mistake in the function: report it, and replay once it is corrected"
    hold = Hold("bad_function", reason, step=f"call {called}", field=field, target=target or None)
    return HoldingError(hold)


def paths_read(entry: Entry) -> list[str]:
    """Return the paths by which a leaf reads the message, where they are written out."""
    match entry:
        case str():
            return [entry]
        case PathLeaf():
            return [entry.path]
        case JoinLeaf():
            return [f"{entry.each}/{entry.path}"]
        case CelLeaf():
            return fields_in(entry.cel)
        case TemplateLeaf():
            return read_template(entry.template).paths
        case RecordLeaf():
            return paths_read(entry.number)
        case CallLeaf():
            return [path for one in entry.with_ for path in paths_read(one)]
        case FirstLeaf():
            return [path for one in entry.first for path in paths_read(one)]
    return []


def evaluated(expression: Expression, run: Run, source: Source, step: str, target: str = "") -> Any:
    """Return an expression's value on a source; its failure holds the message."""
    try:
        return expression.evaluate(run.context(source, msg=expression.reads_msg))
    except ExpressionError as error:
        raise HoldingError(failed_expression(error, expression, step, target)) from error


def failed_expression(error: ExpressionError, expression: Expression, step: str, target: str) -> Hold:
    """Return why an expression that failed holds the message: what it was for, and what it reads."""
    paths = list(dict.fromkeys(fields_in(expression.text)))
    field = read_by(paths, target) or None
    reads = f", which reads {', '.join(paths)}" if paths else ""
    reason = f"{error}{written_to(target)}{reads}; correct the rule"
    return Hold("bad_expression", reason, step=step, field=field, target=target or None)


def condition_leaf(expression: Expression, target: str = "") -> Leaf:
    """Return the closure of a condition: true or false of a source. `target`: what it stands before."""

    def condition(run: Run, source: Source) -> Any:
        return evaluated(expression, run, source, "when", target) is True

    return condition


def join_leaf(leaf: JoinLeaf, when: Leaf | None, convert: Convert, name: str, target: str = "") -> Leaf:
    """Return the leaf of repeated parts as one text; a part without a value is an empty line of it."""

    def joined(run: Run, source: Source) -> Any:
        parts = source.each(leaf.each)
        if when is not None:
            parts = [part for part in parts if when(run, part)]
        texts = [part.get(leaf.path) for part in parts]
        if all(text is None for text in texts):
            return None
        whole = leaf.join.join(text or "" for text in texts)
        return converted(convert, name, whole, f"{leaf.each}/{leaf.path}", target)

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
