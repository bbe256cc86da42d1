"""Who an HTTP caller says they are: what the SOAP and REST adapters hand to the system accounts' sign-in."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Basic:
    """User name and password (RFC 7617), UTF-8."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bearer:
    """A bearer token (RFC 6750)."""

    token: str = field(repr=False)


Credentials = Basic | Bearer

Authenticate = Callable[[Credentials], Awaitable[str | None]]
"""Returns the code of the campus that this system account uploads for; None: the credentials are not good."""


def parse(header: str | None) -> Credentials | None:
    """Read an `Authorization` header; None when it is absent or no Basic or Bearer of sound form."""
    scheme, _, value = (header or "").partition(" ")
    value = value.strip()
    if not value:
        return None
    if scheme.lower() == "bearer":
        return Bearer(value)
    return _basic(value) if scheme.lower() == "basic" else None


def _basic(value: str) -> Basic | None:
    try:
        user, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Basic(user, password) if colon and user else None
