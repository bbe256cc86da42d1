"""What makes a message the same again: its bytes without MSH-7, which a retry changes."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256


def digest(fields: Sequence[str], rest: bytes) -> bytes:
    """Return 32 bytes (SHA-256) over a message given as the decoded fields of its MSH and the raw bytes after
    it.

    `fields[0]` is "MSH" and `fields[k - 1]` is MSH-k. The place of MSH-7 is kept, and only its text left out.
    """
    head = "\r".join([*fields[:6], "", *fields[7:], ""])
    return sha256(head.encode() + rest).digest()
