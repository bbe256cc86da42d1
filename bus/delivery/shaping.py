"""From a message to what a receiver takes: the shapes of destination files, filled in."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from bus.delivery.transport import Outgoing, UnsendableError
from bus.rules.converters import CONVERTERS, ConversionError
from bus.rules.dates import ImpossibleDateError
from bus.rules.sending.shape import Fixed, Object, Repeated, Shape, Value, Whole
from bus.rules.spec import Form
from bus.sources.hl7 import parse_hl7
from bus.sources.opening import decode_text, open_source
from bus.sources.rows import parse_rows
from bus.sources.source import Envelope, PathError, Source, UnreadableError

JSON_FORMS = frozenset({Form.CANONICAL, Form.FHIR})
"""What is sent as JSON, whatever it came in as."""


def opened(message: Outgoing) -> Source:
    """Return the message as paths see it. Raises UnsendableError for one that cannot be read."""
    envelope = Envelope("", "", message.message_type)
    try:
        if message.form in JSON_FORMS:
            return parse_rows(message.body.decode(), envelope)
        if message.form is Form.HL7:
            return parse_hl7(message.body, message.charset, envelope)
        return open_source(message.body, message.charset, envelope)
    except UnreadableError as error:
        raise UnsendableError(error.code, f"the message cannot be read: {error}") from error


def filled(shape: Object, message: Outgoing) -> dict[str, Any]:
    """Return the object that a shape makes of a message; what the message does not have is left out.

    Raises UnsendableError, which names the place in the shape and quotes nothing.
    """
    found = _value(shape, opened(message), message, "")
    return found if isinstance(found, dict) else {}


def parts(each: Sequence[str], message: Outgoing) -> list[Source]:
    """Return the parts that paths lead to, one after the other; the message itself without a path."""
    found: list[Source] = [opened(message)]
    for path in each:
        found = [part for source in found for part in _each(source, path, "each")]
    return found


def leaf(shape: Shape, source: Source, message: Outgoing, place: str) -> Any:
    """Return one value, None where there is none. `place` names it in errors. Raises UnsendableError."""
    return _value(shape, source, message, place)


def _value(shape: Any, source: Source, message: Outgoing, place: str) -> Any:
    match shape:
        case str():
            return _get(source, shape, place)
        case Value():
            return _converted(shape, source, place)
        case Fixed():
            return shape.const
        case Whole():
            return _whole(shape, message)
        case Repeated():
            elements = (_value(shape.of, part, message, place) for part in _each(source, shape.each, place))
            return [element for element in elements if element is not None] or None
    return _object(shape, source, message, place)


def _object(
    shape: Mapping[str, Shape], source: Source, message: Outgoing, place: str
) -> dict[str, Any] | None:
    values = {
        name: _value(inner, source, message, f"{place}.{name}".lstrip(".")) for name, inner in shape.items()
    }
    return {name: value for name, value in values.items() if value is not None} or None


def _converted(shape: Value, source: Source, place: str) -> Any:
    text = _get(source, shape.path, place)
    if text is None:
        if shape.needed:
            raise UnsendableError("missing", f"{place}: the message has nothing at {shape.path}")
        return shape.default
    try:
        return CONVERTERS[shape.as_ or "text"](text)
    except (ConversionError, ImpossibleDateError, ValueError) as error:
        raise UnsendableError("bad_field", f"{place} is {error}") from error


def _get(source: Source, path: str, place: str) -> str | None:
    try:
        return source.get(path)
    except PathError as error:
        raise UnsendableError("bad_path", f"{place}: {error}; correct the destination's file") from error


def _each(source: Source, path: str, place: str) -> Sequence[Source]:
    try:
        return source.each(path)
    except PathError as error:
        raise UnsendableError("bad_path", f"{place}: {error}; correct the destination's file") from error


def _whole(shape: Whole, message: Outgoing) -> str:
    if shape.message == "base64":
        return base64.b64encode(message.body).decode("ascii")
    try:
        return decode_text(message.body, "utf-8" if message.form in JSON_FORMS else message.charset)
    except UnreadableError as error:
        raise UnsendableError(error.code, f"the message cannot be read: {error}") from error


def as_json(made: Any) -> bytes:
    """Return what a shape made, as JSON."""
    return json.dumps(made, ensure_ascii=False, separators=(",", ":"), default=_plain).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, date):  # a time, too
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"a {type(value).__name__} has no form in JSON")
