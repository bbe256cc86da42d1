"""What the linter says of the shapes of destination files: each path, as what a rule sends there is written.

A path that leads nowhere is no error when a message goes out: the name is left out, as where the message has
no value. So it is said here, before one comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from bus.rules.compile import nearest
from bus.rules.destinations import (
    AnyDestination,
    FilesDestination,
    RestDestination,
    SoapDestination,
    TablesDestination,
)
from bus.rules.finding import Finding, finding
from bus.rules.loader import Loaded, Rule
from bus.rules.marks import Position
from bus.rules.paths import Family, mistake, mistake_of_each
from bus.rules.sending.shape import Repeated, Shape, Value
from bus.rules.sending.verify import INSERTED
from bus.rules.spec import Form
from bus.rules.target import target_of
from bus.sources.rows import HOLDER
from consortium.records.model import Change, Provenance

BUILT: Mapping[Form, Family] = {Form.FHIR: Family.ROWS, Form.HL7: Family.HL7}
"""How what is built for a destination is written, whatever came in."""


@dataclass(frozen=True, slots=True)
class Read:
    """A path of a shape, and how it is read."""

    path: str
    place: Position
    inside: tuple[str, ...] = ()
    """Paths of the `each` around it, the outermost first."""
    each: bool = False
    """Whether it leads to repeated parts, not to a value."""


def shape_findings(rule: Rule, written: frozenset[Family], loaded: Loaded) -> Iterator[Finding]:
    """Give what is wrong with the paths by which a rule's destinations read what it sends them.

    `written`: how the rule's messages are.
    """
    for sending in rule.spec.sendings:
        marked = loaded.destination_marks[sending.to]
        for read in reads(loaded.destinations[sending.to]):
            for reason in sorted(set(_reasons(read, sending.send, written))):
                said = f"{reason}; correct the path, or send it otherwise than {sending.send}"
                yield finding(marked.file, marked.place(read.place), "bad-path", said)


def reads(spec: AnyDestination) -> Iterator[Read]:
    """Give the paths by which a destination reads what it is sent."""
    match spec:
        case RestDestination():
            for path in INSERTED.findall(spec.address):
                yield Read(path, ("address",))
            for path in spec.asked_by:
                yield Read(path, ("verify", "address"))
            yield from _of_shape(spec.body or {}, ("body",), ())
        case SoapDestination():
            yield from _of_shape(spec.arguments or {}, ("arguments",), ())
        case TablesDestination():
            for number, path in enumerate(spec.each):
                yield Read(path, ("each", number), spec.each[:number], each=True)
            for name, leaf in spec.columns.items():
                yield from _of_shape(leaf, ("columns", name), spec.each)
        case FilesDestination():
            for path in spec.paths:
                yield Read(path, ("file",))


def _of_shape(shape: Shape, place: Position, inside: tuple[str, ...]) -> Iterator[Read]:
    match shape:
        case str():
            yield Read(shape, place, inside)
        case Value():
            yield Read(shape.path, (*place, "path"), inside)
        case Repeated():
            yield Read(shape.each, (*place, "each"), inside, each=True)
            yield from _of_shape(shape.of, (*place, "of"), (*inside, shape.each))
        case dict():
            for name, inner in shape.items():
                yield from _of_shape(inner, (*place, name), inside)


def _reasons(read: Read, form: Form, written: frozenset[Family]) -> Iterator[str]:
    if form is Form.CANONICAL:
        reason = canonical_mistake(read)
        if reason is not None:
            yield reason
        return
    for family in {BUILT[form]} if form in BUILT else written:
        if read.each:
            reason = mistake_of_each(read.path, family)
        else:
            reason = mistake(read.path, family, below=bool(read.inside))
        if reason is not None:
            yield reason


@dataclass(frozen=True, slots=True)
class At:
    """Where a path has come to in the canonical change."""

    shown: str
    fields: Mapping[str, At | type[BaseModel]] | type[BaseModel] | None
    """A model, or the outermost names; None: a value."""
    many: bool = False
    outermost: bool = False


_ROOT = At(
    "what is sent",
    {"source": Provenance, "change": Change, "contents": At("contents", None, many=True)},
    outermost=True,
)


def canonical_mistake(read: Read) -> str | None:
    """Return what is wrong with a path into the canonical change as it is sent: `source.…`, `change.…`."""
    return mistake_in(read, _ROOT)


def mistake_in(read: Read, root: At) -> str | None:
    """Return what is wrong with a path into what is sent, which looks as `root` says."""
    parts = [root]
    for path in read.inside:
        found = _followed(parts[-1], path)
        if isinstance(found, str):
            return None  # told of the each itself
        parts.append(At(found.shown, found.fields))
    path = read.path
    while path.startswith(HOLDER) and not read.each:
        if len(parts) == 1:
            return f"{read.path!r}: {HOLDER} stands outside each; there is nothing around it"
        path = path.removeprefix(HOLDER)
        parts.pop()
    found = _followed(parts[-1], path)
    if isinstance(found, str):
        return f"{read.path!r}: {found}"
    return _unfit(found, read)


def _unfit(found: At, read: Read) -> str | None:
    """Say why a place that is there does not fit what is asked of it."""
    if read.each:
        value = found.fields is None and not found.many
        return f"{read.path!r}: {found.shown} is a value, which does not repeat" if value else None
    if found.many:
        return f"{read.path!r}: {found.shown} is a list: write each, or a number behind it (from 0)"
    if found.fields is None:
        return None
    names = found.fields if isinstance(found.fields, Mapping) else found.fields.model_fields
    return f"{read.path!r}: {found.shown} is an object: name one of its fields, {', '.join(names)}"


def _followed(at: At, path: str) -> At | str:
    """Return where a path leads, or say what is wrong with it."""
    for step in path.split(".") if path != "." else ():
        if at.many:
            if not step.isdecimal():
                return f"{at.shown} is a list: write each, or a number behind it (from 0)"
            at = At(f"{at.shown}.{step}", at.fields)
            continue
        found = _field(at, step)
        if isinstance(found, str):
            return found
        at = found
    return at


def _field(at: At, step: str) -> At | str:
    if at.fields is None:
        return f"{at.shown} is a value and has no fields"
    shown = step if at.outermost else f"{at.shown}.{step}"
    if isinstance(at.fields, Mapping):
        known = at.fields.get(step)
        if known is None:
            return f"{at.shown} has no field {step!r}; {nearest(step, at.fields)}"
        return known if isinstance(known, At) else At(shown, known)
    info = at.fields.model_fields.get(step)
    if info is None:
        return f"{at.shown} has no field {step!r}; {nearest(step, at.fields.model_fields)}"
    target = target_of(info.annotation)
    return At(shown, target.model, many=target.many)
