"""Batches in one frame: FHS, BHS, messages, BTS, FTS (HL7 v2.5 §2.10.3), cut on bytes.

A carriage return is part of no character, so the cuts are right whatever each message's character set is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from bus.hl7.charset import decode_raw
from bus.hl7.escaping import STANDARD, Delimiters
from bus.hl7.header import glimpse
from bus.hl7.problem import SEGMENT_SEQUENCE, HL7Error

_NAMES = rb"(FHS|BHS|MSH|BTS|FTS)(?![0-9A-Za-z])"
_AFTER_CR = re.compile(rb"(?:\A|\r\n?)" + _NAMES)
_AFTER_LF = re.compile(rb"(?:\A|\n)" + _NAMES)
_COUNT = re.compile(r"\s*([0-9]{1,10})\s*", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,40}", re.ASCII)


@dataclass(slots=True)
class Batch:
    """One batch as it was sent: segments as bytes, without their ends; b"" where it has none."""

    header: bytes = b""
    messages: list[bytes] = field(default_factory=list)
    trailer: bytes = b""


@dataclass(slots=True)
class File:
    """What one frame held."""

    header: bytes = b""
    batches: list[Batch] = field(default_factory=list)
    trailer: bytes = b""

    @property
    def size(self) -> int:
        """How many messages there are."""
        return sum(len(batch.messages) for batch in self.batches)


@dataclass(frozen=True, slots=True)
class Miscount:
    """A trailer whose count is not what was there."""

    location: str
    """BTS-1 or FTS-1."""
    reason: str


def is_batch(raw: bytes) -> bool:
    """Say whether a frame holds a batch."""
    return raw[:3] in {b"FHS", b"BHS"} and not raw[3:4].isalnum() and len(raw) > 8


def split(raw: bytes) -> File:
    """Cut a frame into its batches and messages, bytes as they are. Raises HL7Error, batch, for a wrong order
    of segments.
    """
    file, current = File(), None
    for name, piece in _pieces(raw):
        if file.trailer:
            raise _wrong(name, "comes after FTS, which ends the file")
        if name == "MSH":
            current = current or _begin(file)
            current.messages.append(piece)
            continue
        segment = _alone(name, piece)
        if name == "FHS":
            if file.batches or file.header:
                raise _wrong(name, "is not the first segment")
            file.header = segment
        elif name == "BHS":
            current = _begin(file)
            current.header = segment
        elif name == "BTS":
            if current is None:
                raise _wrong(name, "ends no batch: there is none open")
            current.trailer, current = segment, None
        else:
            file.trailer = segment
    return file


def _pieces(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Give each segment that begins something, and what belongs to it."""
    found = [match.span(1) for match in (_AFTER_CR if b"\r" in raw else _AFTER_LF).finditer(raw)]
    ends = [start for start, _ in found[1:]] + [len(raw)]
    for (start, after), end in zip(found, ends, strict=True):
        yield raw[start:after].decode("ascii"), raw[start:end]


def _alone(name: str, piece: bytes) -> bytes:
    segment = re.split(rb"[\r\n]", piece, maxsplit=1)[0]
    if piece[len(segment) :].strip():
        raise _wrong(name, "is followed by a segment that belongs to no message")
    return segment


def _begin(file: File) -> Batch:
    file.batches.append(Batch())
    return file.batches[-1]


def _wrong(name: str, what: str) -> HL7Error:
    reason = f"the segment {name} {what}: a batch is FHS, BHS, messages, BTS, FTS"
    return HL7Error("batch", reason, SEGMENT_SEQUENCE, name)


def miscounts(batch: Batch | File) -> list[Miscount]:
    """Compare BTS-1 with the messages, or FTS-1 with the batches; an empty count says nothing."""
    name, things = ("BTS", "messages") if isinstance(batch, Batch) else ("FTS", "batches")
    there = len(batch.messages if isinstance(batch, Batch) else batch.batches)
    said = [*batch.trailer.split(batch.trailer[3:4] or b"|"), b""][1].decode("ascii", "replace")
    if not said.strip():
        return []
    count = _COUNT.fullmatch(said)
    if count is None:
        return [Miscount(f"{name}-1", f"{name}-1 is no number; there were {there} {things}")]
    if int(count[1]) == there:
        return []
    reason = f"{name}-1 says {int(count[1])} {things}, and there were {there}: look for what is missing"
    return [Miscount(f"{name}-1", reason)]


def fields(header: bytes, codec: str) -> list[str]:
    """Return a header segment's fields as those of an MSH: its control id at MSH-10, and what it has not
    empty.

    So an acknowledgement answers a batch as it answers a message. [] without header.
    """
    if len(header) < 8:
        return []
    try:
        found = decode_raw(header, codec).split(chr(header[3]))
        Delimiters.of("MSH" + decode_raw(header, codec)[3:12])
    except (UnicodeDecodeError, HL7Error):
        found = glimpse(b"MSH" + header[3:])
    known = [*found, *[""] * 12]
    return ["MSH", *known[1:8], "", known[10], "P", ""] if found else []


def answerable(raw: bytes) -> list[str]:
    """Return what can be made out of the MSH, or the batch's header, of what is refused as a whole."""
    if not is_batch(raw):
        return glimpse(raw)[:17]
    return fields(re.split(rb"[\r\n]", raw, maxsplit=1)[0], "ascii")


def named(control_id: str) -> str:
    """Return words for a batch that hold nothing but a plain control id."""
    return f"batch {control_id}" if _PLAIN.fullmatch(control_id) else "the batch"


def delimiters(header: bytes) -> Delimiters:
    """Return what separates in a header segment; the usual ones where there is none, or no sound one."""
    try:
        return Delimiters.of("MSH" + header[3:12].decode("iso8859_1"))
    except HL7Error:
        return STANDARD


@dataclass(frozen=True, slots=True)
class Told:
    """What goes around the answers to a batch or file."""

    now: str
    control_id: str
    codec: str
    count: int
    """For BTS-1 or FTS-1."""
    comment: str = ""


def envelope(name: str, asked: bytes, told: Told) -> tuple[bytes, bytes]:
    """Return header and trailer (BHS and BTS, or FHS and FTS) that answer the header `asked`; its control id
    is the reference (BHS-12).
    """
    f = delimiters(asked).field
    known = [*fields(asked, told.codec), *[""] * 12]
    head = [name, known[1] or "^~\\&", known[4], known[5], known[2], known[3], told.now, "", "ACK", ""]
    tail = [f"{name[0]}TS", str(told.count), told.comment]
    lines = [f.join([*head, told.control_id, known[9]]), f.join(tail).rstrip(f)]
    above, below = [(line + "\r").encode(told.codec, "replace") for line in lines]
    return above, below
