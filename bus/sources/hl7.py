"""HL7 v2 messages as a source, on the lazy reader of `bus.hl7`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bus.hl7.charset import decode
from bus.hl7.message import Message, Segment
from bus.hl7.problem import HL7Error
from bus.sources.hl7_path import Hl7Path, parse_path
from bus.sources.source import Envelope, PathError, UnreadableError

HEADER = frozenset({"MSH", "EVN", "PID", "PD1", "PV1", "PV2", "SCH", "TXA"})
"""Segments of the whole message, which its parts see too."""
COMMON = frozenset({"MSH", "EVN"})
"""Those of them that are no patient's."""
RANK = {"MSH": 0, "PID": 1, "PV1": 2, "ORC": 3, "OBR": 4, "RXO": 4, "RXE": 4, "FT1": 4, "RGS": 4, "TXA": 4}
"""How far out a segment begins a group; a group ends where one of the same or an outer rank begins."""
DETAILS = frozenset({"OBR", "RXO", "RXE"})
"""What an order is of: the ORC just before it belongs to it."""
DEFAULT_RANK = 5
NOTE_RANK = 9
NULL = '""'
"""HL7's explicit null (v2.5 §2.5.3): the sender says that there is no value."""


class Hl7Source:
    """A message, or a group of its segments beginning with the one that `each` named."""

    __slots__ = ("_by_name", "_envelope", "_header", "_segments")

    def __init__(
        self, segments: Sequence[Segment], envelope: Envelope, header: Mapping[str, Segment] | None = None
    ) -> None:
        self._segments = segments
        self._envelope = envelope
        by_name: dict[str, Segment] = {}
        for segment in segments:
            by_name.setdefault(segment.name, segment)
        self._by_name = by_name
        self._header = header or {name: found for name, found in by_name.items() if name in HEADER}

    def get(self, path: str) -> str | None:
        """Return the text at a path (`bus.sources.hl7_path`): of the first such segment of this part, or of
        the
        message's header.
        """
        wanted = parse_path(path)
        name = wanted.segment
        segment = self._by_name.get(name) or self._header.get(name)
        if segment is None:
            return None
        fields, field = segment.split or segment.fields(), wanted.field
        raw = fields[field] if field < len(fields) else ""
        if not raw or raw == NULL:
            return None
        if field <= 2 and name == "MSH":
            return raw
        return _at(segment, raw, wanted) or None

    def each(self, path: str) -> Sequence[Hl7Source]:
        """Return one source for each segment of that name, with the segments that belong to it."""
        if len(path) != 3:
            raise PathError(f"{path!r} names no segment: write three letters, such as OBX", path)
        header = self._header
        if path == "PID":  # what is around a patient's part is not another patient's visit
            header = {name: found for name, found in header.items() if name in COMMON}
        return [Hl7Source(group, self._envelope, _seen(header, group, path)) for group in self._groups(path)]

    @property
    def patients(self) -> int:
        """How many patients it is about, by the numbers in PID-3; of an ADT, which may be about two, one."""
        count = sum(segment.name == "PID" for segment in self._segments)
        if count < 2 or self._envelope.message_type.startswith("ADT"):
            return min(count, 1)
        return len({part.get("PID-3.1") for part in self.each("PID")})

    def cel(self) -> Mapping[str, Any]:
        """Return the variables of `msg`."""
        return self._envelope.cel()

    def _groups(self, name: str) -> list[list[Segment]]:
        rank = _rank(name)
        groups: list[list[Segment]] = []
        current: list[Segment] | None = None
        before: Segment | None = None
        for segment in self._segments:
            if segment.name == name:
                current = [segment]
                if name in DETAILS and before is not None and before.name == "ORC":
                    current.append(before)
                groups.append(current)
            elif current is not None and _rank(segment.name) > rank:
                current.append(segment)
            else:
                current = None
            before = segment
        return groups


def _seen(header: Mapping[str, Segment], group: Sequence[Segment], name: str) -> Mapping[str, Segment]:
    """Return the header that the parts of a group see: a patient's own, inside its part."""
    if name != "PID":
        return header
    own: dict[str, Segment] = {}
    for segment in group:
        if segment.name in HEADER:
            own.setdefault(segment.name, segment)
    return {**header, **own}


def _rank(name: str) -> int:
    return NOTE_RANK if name == "NTE" else RANK.get(name, DEFAULT_RANK)


def _at(segment: Segment, raw: str, wanted: Hl7Path) -> str:
    marks = segment.delimiters
    if wanted.choice is not None or marks.repetition in raw or marks.escape in raw or raw[-1] == "\n":
        return _inside(segment, raw, wanted)
    # As most fields are: one repetition, nothing escaped.
    if marks.component not in raw and marks.subcomponent not in raw:
        return raw if wanted.first else ""
    if wanted.component is None or wanted.sub is not None or wanted.repetition != 1:
        return _inside(segment, raw, wanted)
    text = _nth(raw.split(marks.component), wanted.component)
    return "" if text == NULL else text


def _inside(segment: Segment, raw: str, wanted: Hl7Path) -> str:
    mark = segment.delimiters.repetition
    repetitions = raw.split(mark) if mark and mark in raw else [raw]
    choice = wanted.choice
    if choice is not None:
        repetitions = [
            r for r in repetitions if _part(segment, r, choice.component, choice.part) == choice.value
        ]
    if wanted.repetition is None:
        return "\n".join(_part(segment, r, None, None) for r in repetitions).rstrip("\n")
    if wanted.repetition > len(repetitions):
        return ""
    return _part(segment, repetitions[wanted.repetition - 1], wanted.component, wanted.sub)


def _part(segment: Segment, repetition: str, component: int | None, sub: int | None) -> str:
    marks = segment.delimiters
    text = repetition
    if component is not None:
        text = _nth(text.split(marks.component), component)
        if sub is not None:
            text = _nth(text.split(marks.subcomponent or "\0"), sub)
    if text == NULL:
        return ""
    return marks.unescaped(text, segment.codec) if marks.escape and marks.escape in text else text


def _nth(parts: list[str], number: int) -> str:
    return parts[number - 1] if number <= len(parts) else ""


def parse_hl7(body: bytes, charset: str, envelope: Envelope) -> Hl7Source:
    """Return the source of one HL7 v2 message in a Python codec; raises `UnreadableError`."""
    try:
        segments = Message(decode(body, charset), charset).all
    except HL7Error as error:
        raise UnreadableError(error.code, error.reason) from error
    if any(segment.name == "MSH" for segment in segments[1:]):  # one patient's results would be another's
        reason = (
            "a second MSH in one message: the sender must frame each, or send a batch (BHS, messages, BTS)"
        )
        raise UnreadableError("batch", reason)
    return Hl7Source(segments, envelope)
