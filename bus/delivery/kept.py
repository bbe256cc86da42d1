"""What is kept of what went out: its digest, and its bytes where they are not kept elsewhere already."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass
from hashlib import sha256

from bus.delivery.transport import SentForm

FAST = 1
"""zlib's level: half the bytes of its best in a tenth of the time."""
AT_ONCE = 64 * 1024
"""Bytes that are packed without a thread of their own."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is written of one attempt, in the commit that says that it goes on the wire."""

    digest: bytes
    """SHA-256 of what goes out."""
    rules: str | None
    """The rule set by which it is built and sent; None: no set is deployed."""
    charset: str = "utf-8"
    place: str | None = None
    body: bytes | None = None
    """Packed; None: what was queued goes out as it is."""

    @property
    def has_row(self) -> bool:
        """Whether there is more than the digest."""
        return self.body is not None or self.place is not None


async def kept(form: SentForm, queued: bytes, rules: str | None) -> Kept:
    """Return what to keep of what goes out; `queued` is kept already."""
    same = form.body == queued
    size = len(form.body)
    if size <= AT_ONCE:
        return _kept(form, same=same, rules=rules)
    return await asyncio.to_thread(_kept, form, same=same, rules=rules)


def _kept(form: SentForm, *, same: bool, rules: str | None) -> Kept:
    packed = None if same else zlib.compress(form.body, FAST)
    return Kept(sha256(form.body).digest(), rules, form.charset, form.place, packed)


def unpacked(body: bytes) -> bytes:
    """Return what was packed."""
    return zlib.decompress(body)
