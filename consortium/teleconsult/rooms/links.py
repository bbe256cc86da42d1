"""Links for people without an account: signed, for one person, until a time."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import jwt

from consortium.access.tokens import ALGORITHM, ISSUER, checked_key
from consortium.teleconsult.rooms.errors import RoomRefusedError

AUDIENCE = "yilian-video"
TYPE = "video-invitation"
_CLAIMS = ("iss", "aud", "sub", "iat", "exp", "jti", "typ")


@dataclass(frozen=True, slots=True)
class Link:
    """What a link says: ids, nothing about anybody."""

    invitation_id: UUID
    participant_id: UUID


def sign(link: Link, key: str, now: datetime, expires_at: datetime) -> str:
    """Return the secret part of a link. It goes behind `#`, which browsers send to no server."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(link.participant_id),
        "iat": now,
        "exp": expires_at,
        "jti": str(link.invitation_id),
        "typ": TYPE,
    }
    return jwt.encode(claims, checked_key(key), algorithm=ALGORITHM)


def read(secret: str, key: str, now: datetime) -> Link:
    """Return what a link says. Raises RoomRefusedError when it is not ours, was changed, or is too old."""
    try:  # the times are judged by the given clock, below
        claims = jwt.decode(
            secret,
            checked_key(key),
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False},
        )
        link = Link(uuid.UUID(claims["jti"]), uuid.UUID(claims["sub"]))
        fits, expires = claims["typ"] == TYPE, float(claims["exp"])
    except (jwt.InvalidTokenError, ValueError, TypeError):
        raise _invalid() from None
    if not fits:
        raise _invalid()
    if now.timestamp() >= expires:
        raise RoomRefusedError("invitation-expired", "this link is too old; ask the hospital for a new one")
    return link


def _invalid() -> RoomRefusedError:
    return RoomRefusedError("invitation-invalid", "this is no link of ours; open it as it was sent")
