"""Accounts, as rows of `access.account`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from consortium.access.model import Permission, Role, User
from consortium.errors import PermanentError

_FIND = text(
    "SELECT username, display_name, role, organisation, permissions, person_id, password_hash, disabled"
    " FROM access.account WHERE username = :username"
)
_BIND = text(
    "UPDATE access.account SET person_id = :person_id WHERE username = :username AND role = 'patient'"
)


@dataclass(frozen=True, slots=True)
class Account:
    """A user with what signing in needs."""

    user: User
    password_hash: str
    disabled: bool


def find(connection: Connection, username: str) -> Account | None:
    """Return the account of that name, closed ones too."""
    row = connection.execute(_FIND, {"username": username}).one_or_none()
    return None if row is None else Account(_user(row), row.password_hash, row.disabled)


def _user(row: Row[Any]) -> User:
    return User(
        username=row.username,
        display_name=row.display_name,
        role=Role(row.role),
        organisation=row.organisation,
        person_id=row.person_id,
        permissions=frozenset(Permission(p) for p in row.permissions),
    )


def bind_patient(connection: Connection, username: str, person_id: UUID) -> None:
    """Say which golden person a patient's account belongs to.

    Raises PermanentError when there is no such account.
    """
    done = connection.execute(_BIND, {"username": username, "person_id": person_id})
    if done.rowcount != 1:
        raise PermanentError(
            f"there is no patient account named {username}; create it before binding it to a person"
        )
