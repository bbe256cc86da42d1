"""HL7 v2 messages in a file: one, many, or many in the batch envelope (HL7 v2.5 §2.10.3).

The envelope's counts and its trailers are what tells a whole file from half of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from adapters.files.records import Bad, FileError, Piece

_BLOCK = 256 * 1024
_ENDS = re.compile(rb"\r\n|\r|\n")


def _segments(stream: BinaryIO, limit: int) -> Iterator[tuple[int, bytes]]:
    """Give (line, segment) without its end; a CR or LF is part of no character."""
    line, rest = 0, b""
    while block := stream.read(_BLOCK):
        while block.endswith(b"\r") and (more := stream.read(1)):
            block += more
        *whole, rest = _ENDS.split(rest + block)
        for segment in whole:
            line += 1
            yield line, segment
        if len(rest) > limit:
            raise FileError(
                "too_long_line", f"line {line + 1} is longer than a message may be, {limit} bytes"
            )
    yield line + 1, rest


class _Envelope:
    """Counts what the trailers count."""

    def __init__(self) -> None:
        self.open: list[bytes] = []
        self.messages = 0
        self.batches = 0

    def header(self, name: bytes, line: int) -> None:
        """Take FHS or BHS."""
        if name in self.open or (name == b"FHS" and self.open):
            raise FileError(
                "incomplete_batch", f"line {line}: {name.decode()} before the trailer of the last"
            )
        self.open.append(name)
        if name == b"BHS":
            self.messages = 0
        else:
            self.batches = 0

    def trailer(self, segment: bytes, line: int) -> None:
        """Take BTS or FTS and compare its count."""
        name, header = segment[:3], b"BHS" if segment[:3] == b"BTS" else b"FHS"
        if not self.open or self.open[-1] != header:
            raise FileError("incomplete_batch", f"line {line}: {name.decode()} without its {header.decode()}")
        self.open.pop()
        fields = segment.split(segment[3:4]) if len(segment) > 3 else []
        told = fields[1].strip() if len(fields) > 1 else b""
        counted = self.messages if name == b"BTS" else self.batches
        if told and told != str(counted).encode():
            shown = told.decode("ascii", "replace")[:12]
            raise FileError(
                "incomplete_batch",
                f"line {line}: {name.decode()}-1 says {shown}, and the file holds {counted}",
            )
        if name == b"BTS":
            self.batches += 1

    def end(self) -> None:
        """Refuse a file that ends before its trailers."""
        if self.open:
            missing = "BTS" if self.open[-1] == b"BHS" else "FTS"
            raise FileError(
                "incomplete_batch", f"the file ends without {missing}: it is not whole; send it again"
            )


class _Message:
    """The segments of one message, as they come."""

    def __init__(self, line: int, segment: bytes) -> None:
        self.line = line
        self.segments = [segment]
        self.size = len(segment)

    def add(self, segment: bytes, limit: int) -> None:
        """Add a segment; beyond the limit only its size is kept."""
        self.size += len(segment) + 1
        if self.size <= limit:
            self.segments.append(segment)

    def piece(self, limit: int) -> Piece | Bad:
        """Return the whole message, its segments ended by CR as HL7 has it."""
        body = b"\r".join([*self.segments, b""])
        if self.size > limit:
            return Bad(self.line, "too_large", f"the message is larger than {limit} bytes", body)
        return Piece(self.line, body, "", lambda _path: None, body)


def read_messages(stream: BinaryIO, limit: int) -> Iterator[Piece | Bad]:
    """Read the messages of a file. `limit`: bytes of one message. Raises FileError where it is not whole."""
    envelope = _Envelope()
    current: _Message | None = None
    for line, segment in _segments(stream, limit):
        name = segment[:3]
        if name in (b"FHS", b"BHS", b"BTS", b"FTS", b"MSH") and current:
            yield current.piece(limit)
            current = None
        if name == b"MSH":
            envelope.messages += 1
            current = _Message(line, segment)
        elif name in (b"FHS", b"BHS"):
            envelope.header(name, line)
        elif name in (b"BTS", b"FTS"):
            envelope.trailer(segment, line)
        elif segment.strip() and current:
            current.add(segment, limit)
        elif segment.strip():
            yield Bad(line, "missing_msh", "a segment stands before the first MSH", segment)
    if current:
        yield current.piece(limit)
    envelope.end()
