"""Passwords by argon2id (RFC 9106, second recommended parameters: 64 MiB, 3 passes)."""

from __future__ import annotations

from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)
LONGEST = 1024
"""Longer passwords are refused before hashing."""


def hash_password(password: str) -> str:
    """Return the encoded hash, with its own salt and parameters."""
    return HASHER.hash(password)


def matches(encoded: str | None, password: str) -> bool:
    """Tell whether the password is the one hashed. Takes as long when there is no account (None)."""
    if len(password) > LONGEST:
        return False
    try:
        HASHER.verify(encoded or _nobody(), password)
    except VerificationError:
        return False
    return encoded is not None


@lru_cache(maxsize=1)
def _nobody() -> str:
    return HASHER.hash("nobody's password")
