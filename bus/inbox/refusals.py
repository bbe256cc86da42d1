"""What was refused at the door, kept so that it can be found again."""

from __future__ import annotations

from typing import Any

from bus.envelope import Refusal

INSERT = b"""
INSERT INTO bus.refusal
  (protocol, endpoint, peer, facility, control_id, message_type, code, reason, size, body)
VALUES (%b, %b, %b, %b, %b, %b, %b, %b, %b, %b) RETURNING id
"""

LONGEST = 200
"""Characters kept of a field that was refused for its form, too."""


def values(refusal: Refusal) -> tuple[Any, ...]:
    """Return the row of a refusal."""
    r = refusal
    told = (_kept(r.facility), _kept(r.control_id), _kept(r.message_type))
    return (r.protocol, r.endpoint, r.peer, *told, r.code, r.reason, r.size, r.body)


def _kept(text: str | None) -> str | None:
    return text.replace("\0", "�")[:LONGEST] if text else None
