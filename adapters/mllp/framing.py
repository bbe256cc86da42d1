"""MLLP frames on bytes: 0B … 1C 0D (HL7 v2.5, appendix C of the implementation guide; MLLP release 1)."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

START = 0x0B
END = b"\x1c\r"
_BETWEEN = b"\r\n \t\x00"
"""What some senders put between two frames; it says nothing."""

_NOISE = 4096
"""Bytes kept of what is no frame."""


@dataclass(frozen=True, slots=True)
class Broken:
    """What arrived and is not a frame; `body` may be cut, `size` is how much there was."""

    code: str
    reason: str
    body: bytes
    size: int


def framed(message: bytes) -> bytes:
    """Put a message into a frame."""
    return b"\x0b" + message + END


class Step(enum.Enum):
    """What comes next where nothing was found yet."""

    ON = "go on with what is here"
    WAIT = "wait for more"


class Deframer:
    """Cuts a stream into frames, whatever the packets were."""

    def __init__(self, limit: int, keep: int) -> None:
        """`limit`: largest message. `keep`: how much is kept of one that is larger. Bytes."""
        self._limit = limit
        self._keep = keep
        self._buffer = bytearray()
        self._inside = False
        self._dropped = 0
        """Bytes of this frame or noise that were not kept."""
        self._searched = 0

    @property
    def held(self) -> int:
        """Bytes kept of an unfinished frame."""
        return len(self._buffer)

    @property
    def unfinished(self) -> bool:
        """Whether a frame, or something that is none, has begun and not ended."""
        return self._inside or bool(self._buffer)

    def whole(self, data: bytes) -> bytes | None:
        """Return the message when what arrived is one frame and nothing else, which is the common case."""
        if (
            self._inside
            or self._buffer
            or data[0] != START
            or data.find(b"\x1c") != len(data) - 2
            or data[-1] != END[1]
            or data.rfind(b"\x0b") != 0
            or len(data) > self._limit
        ):
            return None
        return data[1:-2]

    def feed(self, data: bytes) -> Iterator[bytes | Broken]:
        """Take what arrived, and give each message, without its frame, and each broken thing, in order."""
        message = self.whole(data)
        if message is not None:
            yield message
            return
        self._buffer += data
        while self._buffer:
            found = self._in_frame() if self._inside else self._outside()
            if found is Step.WAIT:
                return
            if found is not Step.ON:
                yield found

    def finish(self) -> Broken | None:
        """Say what was left unfinished when the stream ended or stalled, and forget it."""
        if not self.unfinished:
            return None
        inside = self._inside
        body, size = self._taken(len(self._buffer))
        self._inside = False
        if inside:
            return Broken("framing", "the message ended before its end bytes 1C 0D", body, size)
        return Broken("framing", "what was sent has no start byte 0B: it is not MLLP", body, size)

    def _taken(self, count: int) -> tuple[bytes, int]:
        """Remove that many bytes; return what is kept of them, and how many there were with those dropped
        before.
        """
        body, size = bytes(self._buffer[:count]), count + self._dropped
        del self._buffer[:count]
        self._dropped = self._searched = 0
        return body, size

    def _outside(self) -> Broken | Step:
        """Between frames: skip to a start byte."""
        if not self._dropped:
            skipped = len(self._buffer) - len(self._buffer.lstrip(_BETWEEN))
            del self._buffer[:skipped]
        start, end = self._buffer.find(START), self._buffer.find(END)
        if start == 0:
            del self._buffer[:1]
            self._inside, self._dropped, self._searched = True, 0, 0
            return Step.ON
        if end >= 0 and (start < 0 or end < start):
            body, size = self._taken(end + 2)
            return Broken("framing", "the message has no start byte 0B", body[:-2], size)
        if start > 0:
            body, size = self._taken(start)
            return Broken("framing", "between two messages was something that is none", body, size)
        self._shorten_noise()
        return Step.WAIT

    def _shorten_noise(self) -> None:
        """Keep the beginning of what is no frame, and its last byte, which may be half of an end."""
        if len(self._buffer) > _NOISE:
            last = self._buffer[-1:]
            self._cut(_NOISE - 1, _NOISE - 1)
            self._dropped -= 1
            self._buffer += last

    def _in_frame(self) -> bytes | Broken | Step:
        end = self._buffer.find(b"\x1c", self._searched)
        start = self._buffer.find(START, self._searched, end if end >= 0 else len(self._buffer))
        if start >= 0:
            self._inside = False
            body, size = self._taken(start)
            return Broken("framing", "another message began before this one ended with 1C 0D", body, size)
        if end < 0:
            self._cut(self._limit, self._keep)
            self._searched = len(self._buffer)
            return Step.WAIT
        if end + 1 == len(self._buffer):
            self._searched = end
            return Step.WAIT
        after = self._buffer[end + 1]
        if after == START:
            self._inside = False
            body, size = self._taken(end + 1)
            return Broken("framing", "the end byte 1C is not followed by 0D", body, size)
        if after != 0x0D:  # a control character of the text
            self._searched = end + 1
            return Step.ON
        return self._whole(end)

    def _whole(self, end: int) -> bytes | Broken:
        self._inside = False
        body, size = self._taken(end + 2)
        body, size = body[:-2], size - 2
        if size > self._limit:
            reason = f"the message has {size} bytes, and the limit is {self._limit} (setting body_limit)"
            return Broken("too_large", reason, body[: self._keep], size)
        return body

    def _cut(self, most: int, keep: int) -> None:
        """Once there is more than may be kept, keep the beginning only."""
        if self._dropped or len(self._buffer) > most:
            self._dropped += max(len(self._buffer) - keep, 0)
            del self._buffer[keep:]
