"""Access tokens: short JWTs (RFC 7519) of one type, one issuer, one audience, one algorithm."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import jwt

from consortium.access.errors import NotSignedInError
from consortium.errors import PermanentError

ALGORITHM = "HS256"
ISSUER = "yilian"
AUDIENCE = "yilian-api"
TYPE = "access"
CODEC = "codec"
"""Type of a token that opens the Temporal codec endpoint alone, and nothing of the API."""
LIFETIME = timedelta(minutes=15)
CODEC_LIFETIME = timedelta(hours=1)
SHORTEST_KEY = 32
"""Bytes; RFC 7518 section 3.2 asks for no less than the hash's size."""


def checked_key(key: str) -> str:
    """Return the key, or raise PermanentError when it is too short to sign with."""
    if len(key.encode()) < SHORTEST_KEY:
        raise PermanentError(
            f"the setting token_key must have at least {SHORTEST_KEY} bytes;"
            " run ./yilian up, which generates it, or set YILIAN_TOKEN_KEY"
        )
    return key


def issue(username: str, key: str, now: datetime, lifetime: timedelta = LIFETIME, kind: str = TYPE) -> str:
    """Return a token for the user, good from `now` (with zone) for `lifetime`; `kind`: TYPE or CODEC."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": username,
        "iat": now,
        "exp": now + lifetime,
        "jti": uuid.uuid4().hex,
        "typ": kind,
    }
    return jwt.encode(claims, checked_key(key), algorithm=ALGORITHM)


def verify(token: str, key: str, kind: str = TYPE) -> str:
    """Return the username a token of that kind was issued to.

    Raises NotSignedInError with what is wrong with it.
    """
    try:
        claims = jwt.decode(
            token,
            checked_key(key),
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={"require": ["iss", "aud", "sub", "iat", "exp", "jti", "typ"]},
        )
    except jwt.ExpiredSignatureError:
        raise NotSignedInError("the token has expired; sign in again") from None
    except jwt.InvalidTokenError as error:
        raise NotSignedInError(f"the token is not valid ({type(error).__name__}); sign in again") from None
    if claims["typ"] != kind:
        raise NotSignedInError("the token is of another type; sign in again")
    return str(claims["sub"])
