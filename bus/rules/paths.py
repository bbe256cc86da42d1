"""Whether a path is written as the messages of a rule need it, known before a message comes."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable

from bus.sources.hl7_path import parse_path
from bus.sources.opening import ROW_TYPES, XML_TYPES
from bus.sources.rows import HOLDER as ROW_HOLDER
from bus.sources.source import PathError
from bus.sources.xml import HOLDER as XML_HOLDER

FIELD_CALL = re.compile(r"""\bfield\(\s*(?:"([^"\\]*)"|'([^'\\]*)')\s*\)""")
SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")


class Family(enum.Enum):
    """How a message is written, which decides how paths into it are."""

    HL7 = "HL7 v2"
    XML = "XML"
    ROWS = "JSON and rows"


def families(types: Iterable[str]) -> frozenset[Family]:
    """Return how messages of these types are written."""
    return frozenset(_family(each) for each in types)


def _family(message_type: str) -> Family:
    if message_type.startswith(XML_TYPES):
        return Family.XML
    return Family.ROWS if message_type.startswith(ROW_TYPES) else Family.HL7


def fields_in(expression: str) -> list[str]:
    """Return the paths that an expression asks `field()` for, where they are written out."""
    return [one or other for one, other in FIELD_CALL.findall(expression)]


def mistake(path: str, family: Family, *, below: bool) -> str | None:
    """Return what is wrong with the path of a value; `below`: inside `each`."""
    if family is Family.HL7:
        try:
            parse_path(path)
        except PathError as error:
            return str(error)
        return None
    holder = XML_HOLDER if family is Family.XML else ROW_HOLDER
    if path.startswith(holder) and not below:
        return f"{path!r}: {holder} stands outside each; there is nothing around the message"
    return None


def mistake_of_each(path: str, family: Family) -> str | None:
    """Return what is wrong with the path of repeated parts."""
    if family is Family.HL7 and SEGMENT.fullmatch(path) is None:
        return f"{path!r} names no segment: write three letters, such as OBX"
    if family is Family.XML and path.rpartition("/")[2].startswith("@"):
        return f"{path!r} names an attribute, which does not repeat"
    return None
