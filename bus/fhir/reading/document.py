"""JSON from outside: read strictly, decimals as written, and checked against FHIR's definitions."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import islice
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from bus.fhir.reading.bindings import unknown_codes
from bus.fhir.reading.issues import InvalidResourceError, Issue
from bus.fhir.shapes import Resource

MOST_ISSUES = 20
LONGEST_NUMBER = 100
"""Digits."""


def load(body: bytes) -> Resource:
    """Read a resource: a JSON object in UTF-8 in which no key comes twice. Raises InvalidResourceError."""
    try:
        text = body.decode("utf-8")
        value = json.loads(text, parse_float=_decimal, object_pairs_hook=_unique, parse_constant=_no_constant)
        if "\\u" in text:
            _sound(value)
    except UnicodeDecodeError as error:
        raise _malformed(f"byte {error.start} is not UTF-8; send the body in UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _malformed(f"not well-formed JSON at {where}") from None
    except RecursionError:
        raise _malformed("nested too deeply") from None
    except (ValueError, ArithmeticError):
        raise _malformed("a number has thousands of digits") from None
    if not isinstance(value, dict) or not isinstance(value.get("resourceType"), str):
        raise _malformed("the body must be a resource: a JSON object with resourceType")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _malformed("a key comes twice in one object; send each key once")
    return value


def _decimal(text: str) -> Decimal:
    """Keep a decimal as it was written, unless it would be thousands of digits written out."""
    number = Decimal(text)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, str) or max(abs(number.adjusted()), abs(exponent)) > LONGEST_NUMBER:
        raise _malformed(f"a number needs more than {LONGEST_NUMBER} digits")
    return number


def _sound(value: Any) -> None:
    """Refuse what an escape can say and text cannot: U+0000, and half a surrogate pair."""
    if isinstance(value, str):
        if "\0" in value:
            raise _malformed("a text holds the character U+0000")
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise _malformed("a text holds half a surrogate pair") from None
    elif isinstance(value, list):
        for one in value:
            _sound(one)
    elif isinstance(value, dict):
        for one in value.values():
            _sound(one)


def _no_constant(name: str) -> float:
    raise _malformed(f"{name} is not JSON (RFC 8259, section 6)")


def _malformed(text: str) -> InvalidResourceError:
    return InvalidResourceError([Issue("$this", text, "structure")])


def check(resource: Resource, path: str) -> list[Issue]:
    """Return what FHIR's definitions find wrong, by expression below `path`.

    fhir.resources has R4B and no R4; the resources taken here are the same in both.
    """
    try:
        model = get_fhir_model_class(resource["resourceType"])
    except ValueError:
        return [Issue(f"{path}.resourceType", "R4 knows no such resource type", "not-supported")]
    try:
        read = model.model_validate(resource)
    except ValidationError as error:
        found = error.errors(include_input=False, include_context=False, include_url=False)[:MOST_ISSUES]
        return [Issue(_expression(path, one["loc"]), _said(one["type"]), "structure") for one in found]
    return list(islice(unknown_codes(read, path), MOST_ISSUES))


def _expression(path: str, loc: tuple[int | str, ...]) -> str:
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path


_SAID = {
    "missing": "it must be there",
    "model_attributes.required": "it must be there",
    "extra_forbidden": "R4 knows no such element",
}


def _said(kind: str) -> str:
    """Say what is wrong by the kind of error: the library's own text may repeat the value."""
    return _SAID.get(kind, f"not as R4 defines it ({kind})")
