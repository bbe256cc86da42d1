"""Converters: from the text of a message to the type of a canonical field."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from bus.rules.dates import parse_date, parse_datetime

PLAIN_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
TRUE = frozenset({"1", "Y", "YES", "TRUE", "T", "是"})
FALSE = frozenset({"0", "N", "NO", "FALSE", "F", "否"})


class ConversionError(ValueError):
    """A value that its converter cannot take. The text does not quote the value."""


def _decimal(text: str) -> Decimal:
    if PLAIN_NUMBER.fullmatch(text.strip()) is None:
        raise ConversionError("not a plain decimal number")
    return Decimal(text.strip())


def _number(text: str) -> Decimal | None:
    return Decimal(text.strip()) if PLAIN_NUMBER.fullmatch(text.strip()) else None


def _integer(text: str) -> int:
    if re.fullmatch(r"[+-]?\d{1,18}", text.strip(), re.ASCII) is None:
        raise ConversionError("not a whole number")
    return int(text)


def _bool(text: str) -> bool:
    upper = text.strip().upper()
    if upper in TRUE:
        return True
    if upper in FALSE:
        return False
    raise ConversionError("neither yes (Y, 1, true, 是) nor no (N, 0, false, 否)")


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise ConversionError("not base64") from error


def join_name(text: str) -> str:
    """Return a person's name as people write it: the first XPN `family^given^second`, Chinese without a
    space.
    """
    parts = [part.strip() for part in text.split("\n")[0].split("^")[:3]]
    family, given = parts[0].split("&")[0], " ".join(part for part in parts[1:] if part)
    if not given or not family:
        return family or given
    western = family.isascii() and given.isascii()
    return f"{given} {family}" if western else f"{family}{given.replace(' ', '')}"


def _staff_name(text: str) -> str | None:
    return join_name(text.partition("^")[2]) or None


CONVERTERS: Mapping[str, Callable[[str], Any]] = {
    "text": str,
    "date": parse_date,
    "datetime": parse_datetime,
    "decimal": _decimal,
    "integer": _integer,
    "number": _number,
    "name": join_name,
    "staff_name": _staff_name,
    "bool": _bool,
    "base64": _base64,
    "bytes": str.encode,
}
"""By name, as `as:` gives it. Each raises ValueError with a text that does not quote the value; `number`
gives None for text.
"""
