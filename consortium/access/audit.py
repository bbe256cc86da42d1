"""The audit: one row for each read of a patient, refusal and change; appended only, and chained by hashes.

The database numbers and chains the rows (migration 0003). This module appends, lists, and checks the chain
by an implementation of its own, so that a changed database function is found as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, text

from consortium.access.model import Action, Purpose, User

Outcome = Literal["allowed", "refused"]
NOBODY = "-"
GENESIS = bytes(32)
"""What the first row is chained to."""
_BATCH = 1000

_COLUMNS = (
    "id, at, request_id, username, role, organisation, action, purpose, persons, resource, outcome, reason"
)
_APPEND = text(
    "INSERT INTO access.audit"
    " (request_id, username, role, organisation, action, purpose, persons, resource, outcome, reason)"
    " VALUES (:request_id, :username, :role, :organisation, :action, :purpose, CAST(:persons AS uuid[]),"
    " :resource, :outcome, :reason)"
)
_LIST = text(
    f"SELECT {_COLUMNS} FROM access.audit"  # noqa: S608 - a constant of this module
    " WHERE (CAST(:before AS bigint) IS NULL OR id < :before)"
    " AND (CAST(:username AS text) IS NULL OR username = :username)"
    " AND (CAST(:person AS uuid) IS NULL OR persons @> ARRAY[CAST(:person AS uuid)])"
    " AND (CAST(:outcome AS text) IS NULL OR outcome = :outcome)"
    " ORDER BY id DESC LIMIT :limit"
)
_CHAIN = text(
    f"SELECT {_COLUMNS}, previous, hash FROM access.audit"  # noqa: S608 - a constant of this module
    " WHERE id > :after ORDER BY id LIMIT :limit"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """What happened, before the database numbers it. Texts hold no patient data; persons are uuids."""

    request_id: str
    username: str
    role: str
    organisation: str
    action: str
    purpose: str
    resource: str
    outcome: Outcome
    reason: str
    persons: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """An entry as it stands in the audit."""

    id: int
    at: datetime
    entry: Entry


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of the chain."""

    rows: int
    head: str
    """Hash of the newest row, hexadecimal; kept elsewhere, it shows whether the end was cut off."""
    broken_at: int | None
    """Number of the first row that does not fit, or None."""


def entry(
    user: User | None,
    action: Action | str,
    purpose: Purpose | None,
    resource: str,
    outcome: Outcome,
    reason: str,
    *,
    request_id: str,
    persons: Sequence[UUID] = (),
) -> Entry:
    """Say what a user (None: nobody signed in) did, or was refused."""
    return Entry(
        request_id=request_id,
        username=user.username if user else NOBODY,
        role=user.role.value if user else NOBODY,
        organisation=user.organisation if user else NOBODY,
        action=action.value if isinstance(action, Action) else action,
        purpose=purpose.value if purpose else NOBODY,
        resource=resource,
        outcome=outcome,
        reason=reason,
        persons=tuple(persons),
    )


def append(connection: Connection, entry: Entry) -> None:
    """Append an entry in the caller's transaction.

    Keep that short: the chain is written by one at a time.
    """
    append_all(connection, (entry,))


def append_all(connection: Connection, entries: Sequence[Entry]) -> None:
    """Append entries in order; see `append`."""
    if entries:
        connection.execute(_APPEND, [_values(one) for one in entries])


def _values(entry: Entry) -> dict[str, Any]:
    values = {name: getattr(entry, name) for name in Entry.__dataclass_fields__}
    return {**values, "persons": list(entry.persons)}


def entries(
    connection: Connection,
    *,
    limit: int,
    before: int | None = None,
    username: str | None = None,
    person: UUID | None = None,
    outcome: Outcome | None = None,
) -> list[Record]:
    """Return the newest entries first, those with a number below `before`."""
    wanted = {"before": before, "username": username, "person": person, "outcome": outcome, "limit": limit}
    return [_record(row) for row in connection.execute(_LIST, wanted)]


def _record(row: Row[Any]) -> Record:
    entry = Entry(**{name: getattr(row, name) for name in Entry.__dataclass_fields__})
    return Record(row.id, row.at, entry)


def verify(connection: Connection) -> Verdict:
    """Walk the whole chain: numbers without gaps, each row's hash over its content and the hash before it."""
    rows, previous = 0, GENESIS
    while batch := connection.execute(_CHAIN, {"after": rows, "limit": _BATCH}).all():
        for row in batch:
            expected = digest(row, previous)
            if row.id != rows + 1 or bytes(row.previous) != previous or bytes(row.hash) != expected:
                return Verdict(rows, previous.hex(), rows + 1)
            rows, previous = rows + 1, expected
    return Verdict(rows, previous.hex(), None)


def digest(row: Row[Any], previous: bytes) -> bytes:
    """Return the hash that a row must have after `previous`."""
    content = [
        row.id,
        row.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f"),
        row.request_id,
        row.username,
        row.role,
        row.organisation,
        row.action,
        row.purpose,
        ",".join(str(person) for person in row.persons),
        row.resource,
        row.outcome,
        row.reason,
    ]
    return hashlib.sha256(previous + json.dumps(content, ensure_ascii=False).encode()).digest()
