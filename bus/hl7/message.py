"""A lazy reader of HL7 v2 messages: decoded before it is split, and split only where somebody looks.

Paths name a place as people write it: `PID-3`, `PID-3.1`, `PID-3.4.2`, `PID-3(2).1`, `OBX(3)-5`; all counts
start at 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache

from bus.hl7.charset import codec_for, decode, encode
from bus.hl7.escaping import Delimiters
from bus.hl7.msh import declared_codec
from bus.hl7.problem import HL7Error

_HEADERS = frozenset({"MSH", "FHS", "BHS"})
_PATH = re.compile(r"(?:([A-Z][A-Z0-9]{2})(?:\((\d+)\))?-)?(\d+)(?:\((\d+)\))?(?:\.(\d+))?(?:\.(\d+))?")


@lru_cache(maxsize=4096)
def _parts(path: str) -> tuple[str, int, int, int, int, int]:
    """Split a path to (segment, its occurrence, field, repetition, component, subcomponent); 0 where not
    given.
    """
    found = _PATH.fullmatch(path)
    if not found:
        raise ValueError(f"{path!r} is no HL7 path: write it as PID-3, PID-3.1, PID-3(2).1 or OBX(3)-5")
    name, *numbers = found.groups()
    occurrence, field, repetition, component, subcomponent = (int(n or 0) for n in numbers)
    return name or "", occurrence, field, repetition, component, subcomponent


class Segment:
    """One segment; its fields are split when first asked for."""

    __slots__ = ("codec", "delimiters", "name", "split", "text")

    def __init__(self, text: str, delimiters: Delimiters, codec: str) -> None:
        self.text = text
        """The segment as sent, decoded and not unescaped."""
        self.name = text[:3]
        self.delimiters = delimiters
        self.codec = codec
        self.split: list[str] | None = None
        """Its fields, once `fields` was asked."""

    def __repr__(self) -> str:
        return f"<Segment {self.name}>"

    def raw(self, field: int) -> str:
        """Return a field as sent, with delimiters and escapes; "" when absent. MSH-1 is the field
        separator.
        """
        fields = self.split or self.fields()
        return fields[field] if field < len(fields) else ""

    def fields(self) -> list[str]:
        """Return the fields as sent, by their number; at 0 stands the segment's name."""
        fields = self.text.split(self.delimiters.field)
        if self.name in _HEADERS:
            fields.insert(1, self.delimiters.field)
        self.split = fields
        return fields

    def printed(self) -> str:
        """Return the segment from its fields: the text that it was read from."""
        fields = self.split or self.fields()
        return self.delimiters.field.join(fields[:1] + fields[2:] if self.name in _HEADERS else fields)

    def get(self, path: str) -> str | None:
        r"""Return unescaped text at `3`, `3.1`, `3.1.2` or `3(2).1`, None when absent or empty.

        With a component: of the first repetition, unless another is named. Without: the whole field, `^` and
        `&` between its parts, and its repetitions on lines of their own, so that nothing is lost. HL7's null,
        two quotes, is given as it is.
        """
        _, _, field, repetition, component, subcomponent = _parts(path)
        return self._at(field, repetition, component, subcomponent)

    def repetitions(self, path: str) -> list[str]:
        """Return `3` or `3.1` of each repetition of the field; "" keeps the place of an empty one."""
        _, _, field, _, component, subcomponent = _parts(path)
        count = len(self._repeated(field))
        return [self._at(field, n, component, subcomponent) or "" for n in range(1, count + 1)]

    def component(self, field: int, component: int, repetition: int = 1) -> str | None:
        """Return a component's unescaped text by numbers."""
        return self._at(field, repetition, component, 0)

    def _repeated(self, field: int) -> list[str]:
        raw = self.raw(field)
        if not raw:
            return []
        if (self.name in _HEADERS and field <= 2) or not self.delimiters.repetition:
            return [raw]
        return raw.split(self.delimiters.repetition)

    def _at(self, field: int, repetition: int, component: int, subcomponent: int) -> str | None:
        if self.name in _HEADERS and field in {1, 2}:
            return self.raw(field) or None
        repeated = self._repeated(field)
        if not component:
            chosen = repeated[repetition - 1 : repetition] if repetition else repeated
            text = "\n".join(self._whole(part) for part in chosen)
            return text if text.strip("\n") else None
        part = _nth(repeated, repetition or 1)
        part = _nth(part.split(self.delimiters.component), component)
        if subcomponent and self.delimiters.subcomponent:
            part = _nth(part.split(self.delimiters.subcomponent), subcomponent)
        elif subcomponent > 1:
            return None
        return self._whole(part) or None

    def _whole(self, raw: str) -> str:
        return self.delimiters.unescaped(raw, self.codec)


@lru_cache(maxsize=1024)
def _is_name(text: str) -> bool:
    return len(text) == 3 and text.isascii() and text.isalnum() and text[0].isalpha()


def _nth(parts: list[str], n: int) -> str:
    return parts[n - 1] if n <= len(parts) else ""


class Message:
    """One message: its segments in order."""

    def __init__(self, text: str, codec: str) -> None:
        self.text = text
        self.codec = codec
        """Python codec that the bytes were decoded by."""
        self.delimiters = Delimiters.of(text)

    @cached_property
    def all(self) -> Sequence[Segment]:
        """Every segment, in order. Raises HL7Error for a line that is no segment: text lost by a stray
        carriage return.
        """
        return tuple(self._segment(n, line) for n, line in enumerate(_lines(self.text), 1) if line)

    def _segment(self, number: int, line: str) -> Segment:
        name = line[:3]
        if not _is_name(name) or (len(line) > 3 and line[3] != self.delimiters.field):
            cause = "a carriage return inside a value must be sent as \\.br\\ or \\X0D\\"
            reason = f"line {number} is not a segment: {cause}"
            raise HL7Error("segment", reason, location=f"line {number}")
        return Segment(line, self.delimiters, self.codec)

    @cached_property
    def _named(self) -> dict[str, list[Segment]]:
        named: dict[str, list[Segment]] = {}
        for segment in self.all:
            named.setdefault(segment.name, []).append(segment)
        return named

    def segment(self, name: str) -> Segment | None:
        """Return the first segment of that name."""
        found = self._named.get(name)
        return found[0] if found else None

    def segments(self, name: str) -> Sequence[Segment]:
        """Return all segments of that name, in order."""
        return tuple(self._named.get(name, ()))

    def get(self, path: str) -> str | None:
        """Return unescaped text at a path such as `PID-3.1`, None when absent or empty; see `Segment.get`."""
        name, occurrence, field, repetition, component, subcomponent = _parts(path)
        if not name:
            raise ValueError(f"{path!r} names no segment: write it as PID-3.1")
        found = self._named.get(name, [])
        if len(found) < (occurrence or 1):
            return None
        return found[(occurrence or 1) - 1]._at(field, repetition, component, subcomponent)  # noqa: SLF001 - one module

    def encode(self) -> bytes:
        """Print the message from its fields, lines ended as they came: what was parsed gives the same bytes.

        Where a character set spells a character in two ways, see `bus.hl7.charset.encode`. Raises HL7Error as
        `all` does.
        """
        segments = iter(self.all)
        end = _end(self.text)
        lines = [(line, line.removeprefix("\n") if end == "\r" else line) for line in self.text.split(end)]
        printed = [
            line.removesuffix(bare) + next(segments).printed() if bare else line for line, bare in lines
        ]
        return encode(end.join(printed), self.codec)


def _end(text: str) -> str:
    return "\r" if "\r" in text else "\n"


def _lines(text: str) -> list[str]:
    """Split at carriage returns (§2.5.1); bear a line feed after each, and files that have line feeds
    alone.
    """
    if "\r" not in text:
        return text.split("\n")
    return [line.removeprefix("\n") for line in text.split("\r")]


def parse(raw: bytes, default_charset: str = "UNICODE UTF-8") -> Message:
    """Read a message from its bytes, without MLLP framing.

    MSH-18 decides the character set; when empty it is `default_charset`, a name of table 0211 or a Python
    codec. Raises HL7Error: missing_msh, delimiters, unknown_charset.
    """
    codec = declared_codec(raw, codec_for("", default_charset))
    return Message(decode(raw, codec), codec)
