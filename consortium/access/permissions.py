"""Giving and taking permissions by name: what a role does not bring along. Each change is in the audit."""

from __future__ import annotations

from sqlalchemy import Connection, text

from consortium.access import accounts, audit
from consortium.access.model import Permission, Purpose
from consortium.errors import PermanentError

ACTION = "permission.change"
_SET = text("UPDATE access.account SET permissions = CAST(:permissions AS text[]) WHERE username = :username")
_LOCK = text("SELECT FROM access.account WHERE username = :username FOR UPDATE")


class UnknownAccountError(PermanentError):
    """There is no account of that name."""

    code = "unknown_account"


def held(connection: Connection, username: str) -> frozenset[Permission]:
    """Return what an account was given. Raises UnknownAccountError."""
    account = accounts.find(connection, username)
    if account is None:
        raise UnknownAccountError(f"there is no account named {username}", zh=f"没有名为 {username} 的账号")
    return account.user.permissions


def change(
    connection: Connection, username: str, permission: Permission, *, give: bool, by: str, why: str
) -> bool:
    """Give or take a permission and put that in the audit, in the caller's transaction.

    `by`: who does, as the console knows them. False: it was so already, and nothing is audited. Raises
    UnknownAccountError.
    """
    connection.execute(_LOCK, {"username": username})
    before = held(connection, username)
    after = before | {permission} if give else before - {permission}
    if after == before:
        return False
    connection.execute(_SET, {"username": username, "permissions": sorted(one.value for one in after)})
    verb = "given" if give else "taken"
    audit.append(
        connection,
        audit.Entry(
            request_id="console",
            username=by,
            role=audit.NOBODY,
            organisation=audit.NOBODY,
            action=ACTION,
            purpose=Purpose.ADMINISTRATION.value,
            resource=f"account {username}",
            outcome="allowed",
            reason=f"{permission.value} {verb}: {why}",
        ),
    )
    return True
