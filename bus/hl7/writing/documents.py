"""TXA and OBX of a document (HL7 v2.5 chapter 9)."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from bus.hl7.build import components
from bus.hl7.writing.fields import Segment, coded, segment, staff, text, time
from consortium.records.model import Document

AVAILABILITY = {"current": "AV", "superseded": "OB", "cancelled": "CA"}
"""HL7 table 0273."""
PLAIN = "text/plain; charset=utf-8"


def event(document: Document) -> str:
    """Return the trigger event: original with content or without, replacement, cancellation."""
    if document.deleted or document.status == "cancelled":
        return "T11"
    if document.replaces:
        return "T10" if document.content else "T09"
    return "T02" if document.content else "T01"


def document(found: Document) -> Iterator[Segment]:
    """Give TXA, and OBX where there is content."""
    status = "cancelled" if found.deleted else found.status
    words = _words(found)
    yield segment(
        "TXA",
        {
            1: "1",
            2: coded(found.type),
            3: "AP" if words is None else "TX",
            4: time(found.created_at),
            9: staff(found.author),
            12: text(found.number),
            13: text(found.replaces),
            16: text(found.title),
            17: "AU",
            19: AVAILABILITY[status],
        },
    )
    if found.content:
        kind, value = ("ED", _file(found)) if words is None else ("TX", text(words))
        yield segment("OBX", {1: "1", 2: kind, 3: coded(found.type), 5: value, 11: "F"})


def _words(found: Document) -> str | None:
    """Return a plain text as such; None for what must travel as a file."""
    if found.mime_type != PLAIN:
        return None
    try:
        return found.content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _file(found: Document) -> str:
    """Return ED: type and subtype of the content, and its bytes in base64."""
    type_, _, subtype = found.mime_type.partition("/")
    return components("", type_, subtype, "Base64", base64.b64encode(found.content).decode())
