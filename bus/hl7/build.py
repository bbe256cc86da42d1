"""Composing messages, with every value escaped."""

from __future__ import annotations

from collections.abc import Sequence

from bus.hl7.charset import codec_for
from bus.hl7.escaping import STANDARD

START = b"\x0b"
END = b"\x1c\r"


def escape(value: str | None) -> str:
    """Return a plain value ready to stand in a field: escaped, "" for None."""
    return STANDARD.escaped(value) if value else ""


def components(*values: str | None) -> str:
    """Return a field of plain values as its components: `components("王", "珅")` is `王^珅`."""
    return "^".join(escape(value) for value in values).rstrip("^")


def subcomponents(*values: str | None) -> str:
    """Return a component of plain values as its subcomponents."""
    return "&".join(escape(value) for value in values).rstrip("&")


def repeated(*fields: str) -> str:
    """Return ready fields as repetitions of one."""
    return "~".join(fields)


def build(segments: Sequence[Sequence[str]], charset: str = "UNICODE UTF-8") -> bytes:
    r"""Compose a message of segments, each a list of its name and its ready fields, in a charset of table
    0211.

    Plain values go through `escape` or `components` first. `["MSH", "^~\\&", "LIS", …]` has MSH-3 at place 2;
    in all others the place is the field's number. MSH-18 is the caller's to fill in.
    Raises ValueError for a field that would break the message apart, UnicodeEncodeError for a character the
    charset lacks.
    """
    text = "".join("|".join(_checked(segment)).rstrip("|") + "\r" for segment in segments)
    return text.encode(codec_for(charset))


def _checked(segment: Sequence[str]) -> Sequence[str]:
    for number, field in enumerate(segment):
        if "|" in field or any(ord(c) < 32 and c != "\t" for c in field):
            raise ValueError(
                f"{segment[0]}, place {number}: a value holds a delimiter or control character; escape() it"
            )
    return segment


def framed(message: bytes) -> bytes:
    """Put a message into an MLLP frame: 0B … 1C 0D."""
    return START + message + END
