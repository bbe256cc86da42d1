"""Signing in: by password, by token; and by password again and again, as programs do."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Engine

from consortium.access import accounts, audit, lockout, tokens
from consortium.access.errors import LockedOutError, NotSignedInError
from consortium.access.model import User
from consortium.access.passwords import matches

ACTION = "sign-in"
_WRONG = "the user name or the password is wrong"


def by_password(
    engine: Engine, username: str, password: str, peer: str, request_id: str, now: datetime
) -> User:
    """Return the user whose password this is, and put success and failure in the audit.

    `peer` is the caller's address. Raises LockedOutError, and NotSignedInError, which does not tell whether
    the account exists.
    """
    with engine.connect() as connection:
        account = accounts.find(connection, username)
    user = account.user if account else None
    try:
        with engine.begin() as connection:
            lockout.charge(connection, username, peer, now)
    except LockedOutError:
        _note(engine, user, "refused", "too many failed sign-ins", request_id)
        raise
    if not _right(account, password) or user is None:
        _note(engine, user, "refused", _WRONG, request_id)
        raise NotSignedInError(_WRONG)
    with engine.begin() as connection:
        lockout.forgive(connection, username, peer)
    _note(engine, user, "allowed", "signed in with a password", request_id)
    return user


def _right(account: accounts.Account | None, password: str) -> bool:
    """Look at the password even when there is no open account, so that the time tells nothing."""
    opened = account is not None and not account.disabled
    return matches(account.password_hash if account and opened else None, password)


def _note(engine: Engine, user: User | None, outcome: audit.Outcome, reason: str, request_id: str) -> None:
    entry = audit.entry(user, ACTION, None, "account", outcome, reason, request_id=request_id)
    with engine.begin() as connection:
        audit.append(connection, entry)


def by_name(engine: Engine, username: str) -> User:
    """Return the user of an open account. Raises NotSignedInError."""
    with engine.connect() as connection:
        account = accounts.find(connection, username)
    if account is None or account.disabled:
        raise NotSignedInError("the account is closed or unknown; ask an administrator")
    return account.user


def by_token(engine: Engine, token: str, key: str, kind: str = tokens.TYPE) -> User:
    """Return the user a token was issued to, with role and permissions as of now. Raises NotSignedInError."""
    return by_name(engine, tokens.verify(token, key, kind))


class Remembered:
    """Passwords that were right a moment ago: programs send one with every call; argon2id would be slow.

    What is kept is a keyed hash under a key that lives as long as the process. A closed account is refused at
    once, a changed password within the lifetime.
    """

    def __init__(self, lifetime: timedelta = timedelta(minutes=5), size: int = 1000) -> None:
        self._lifetime = lifetime
        self._size = size
        self._key = secrets.token_bytes(32)
        self._until: dict[bytes, datetime] = {}
        self._checking: dict[bytes, threading.Lock] = {}
        self._lock = threading.Lock()

    def by_password(
        self, engine: Engine, username: str, password: str, peer: str, request_id: str, now: datetime
    ) -> User:
        """As the function `by_password`; one that is remembered is not put in the audit again."""
        digest = hashlib.blake2b(f"{username}\0{password}".encode(), key=self._key).digest()
        if not self._is_known(digest, now):
            check = partial(by_password, engine, username, password, peer, request_id, now)
            user = self._checked(digest, now, check)
            if user is not None:
                return user
        return by_name(engine, username)

    def _checked(self, digest: bytes, now: datetime, check: Callable[[], User]) -> User | None:
        """Check a password; None: another call did so in the meantime.

        One call at a time: a program's first calls, all at once, are one sign-in and not as many attempts.
        """
        with self._lock:
            checking = self._checking.setdefault(digest, threading.Lock())
        try:
            with checking:
                if self._is_known(digest, now):
                    return None
                user = check()
                self._remember(digest, now)
                return user
        finally:
            with self._lock:
                self._checking.pop(digest, None)

    def _is_known(self, digest: bytes, now: datetime) -> bool:
        with self._lock:
            until = self._until.get(digest)
        return until is not None and now < until

    def _remember(self, digest: bytes, now: datetime) -> None:
        with self._lock:
            if len(self._until) >= self._size:
                self._until.clear()
            self._until[digest] = now + self._lifetime
