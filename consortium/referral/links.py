"""Links by which a patient without an account confirms or declines a booked time.

A link names the referral and the step that booked the time, signed by a key of its own: it cannot be guessed,
fits into a text message, and is worth nothing once another time is booked or that one is over.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from uuid import UUID

_PURPOSE = b"yilian referral link"
_MAC = 12
"""Bytes of the signature that the link carries."""
_NUMBER = 4


@dataclass(frozen=True, slots=True)
class Invited:
    """What a link says."""

    referral_id: UUID
    number: int
    """The step that booked the time."""


@dataclass(frozen=True, slots=True)
class Links:
    """Makes and reads links; `key` is the platform's, `base` the address of its pages."""

    base: str
    key: str

    def link(self, invited: Invited) -> str:
        """Return the address to be sent to the patient."""
        said = invited.referral_id.bytes + invited.number.to_bytes(_NUMBER)
        token = base64.urlsafe_b64encode(said + self._mac(said)).decode()
        return f"{self.base.rstrip('/')}/r/{token}"

    def read(self, token: str) -> Invited | None:
        """Return what a link says; None where it is none of ours or was changed."""
        try:
            raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        except ValueError:
            return None
        said, mac = raw[:-_MAC], raw[-_MAC:]
        if base64.urlsafe_b64encode(raw).decode() != token:  # another spelling of the same bytes
            return None
        if len(said) != 16 + _NUMBER or not hmac.compare_digest(mac, self._mac(said)):
            return None
        return Invited(UUID(bytes=said[:16]), int.from_bytes(said[16:]))

    def _mac(self, said: bytes) -> bytes:
        derived = hmac.digest(self.key.encode(), _PURPOSE, hashlib.sha256)
        return hmac.digest(derived, said, hashlib.sha256)[:_MAC]
