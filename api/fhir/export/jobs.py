"""The jobs: what was asked, how far each is, the files recorded. A change of one is one statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

import sqlalchemy as sa

from api.fhir.export.asked import Asked
from consortium.errors import PermanentError

State = Literal["active", "paused", "done", "failed"]
MOST_OPEN = 4
"""Exports of one user that are not finished."""

# A second back: whoever writes reads the clock a moment before their transaction has its number.
_START = sa.text(
    "INSERT INTO records.export_job"
    " (id, username, request, types, since, persons, transaction_time, begun_in, state, created_at)"
    " VALUES (:id, :username, :request, CAST(:types AS text[]), :since, CAST(:persons AS uuid[]),"
    " clock_timestamp() - interval '1 second', pg_current_xact_id(), 'active', clock_timestamp())"
)
# The records of a message that the router has not done will say that they changed when it was received.
_SETTLE = sa.text(
    "UPDATE records.export_job SET transaction_time = least(transaction_time, (SELECT i.received_at"
    " FROM bus.work w JOIN bus.inbox i ON i.id = w.id WHERE w.state = 0 ORDER BY w.id LIMIT 1)"
    " - interval '1 microsecond') WHERE id = :id AND place = 0 AND after IS NULL AND parts = 0"
)
_SELECT = (
    "SELECT id, username, request, types, since, persons, transaction_time, state, place, after, parts,"
    " lines, error, created_at, ended_at FROM records.export_job"
)
_ONE = sa.text(f"{_SELECT} WHERE id = :id")
_ALL = sa.text(f"{_SELECT} ORDER BY created_at DESC, id")
_NEXT = sa.text(
    f"{_SELECT} WHERE state = 'active' AND begun_in < pg_snapshot_xmin(pg_current_snapshot())"
    " ORDER BY created_at, id LIMIT 1"
)
_OPEN = sa.text(
    "SELECT count(*) FROM records.export_job WHERE username = :username AND state IN ('active', 'paused')"
)
_PARTS = sa.text(
    "SELECT number, name, type, lines, persons, size FROM records.export_part WHERE job_id = :id"
    " ORDER BY number"
)
_ADVANCE = sa.text(
    "UPDATE records.export_job SET place = :place, after = :after, parts = parts + :added,"
    " lines = lines + :lines, error = NULL WHERE id = :id AND state = 'active' AND place = :old_place"
    " AND after IS NOT DISTINCT FROM CAST(:old_after AS uuid) AND parts = :old_parts RETURNING id"
)
_RECORD = sa.text(
    "INSERT INTO records.export_part (job_id, number, name, type, lines, persons, size)"
    " VALUES (:job, :number, :name, :type, :lines, :persons, :size)"
)
_END = sa.text(
    "UPDATE records.export_job SET state = :state, error = :error, ended_at = clock_timestamp()"
    " WHERE id = :id AND state = 'active'"
)
_STOPPED = sa.text("UPDATE records.export_job SET error = :error WHERE id = :id AND state = 'active'")
_SWITCH = sa.text("UPDATE records.export_job SET state = :to WHERE id = :id AND state = :old RETURNING id")
_REMOVE = sa.text("DELETE FROM records.export_job WHERE id = :id RETURNING id")
_EXPIRE = sa.text(
    "DELETE FROM records.export_job WHERE ended_at < clock_timestamp() - make_interval(hours => :hours)"
    " RETURNING id"
)
_ACTIVE = sa.text("SELECT state = 'active' FROM records.export_job WHERE id = :id")


class TooManyError(PermanentError):
    """The user has as many unfinished exports as one may have."""


@dataclass(frozen=True, slots=True)
class Job:
    """One export."""

    id: UUID
    username: str
    request: str
    types: tuple[str, ...]
    since: datetime | None
    persons: tuple[UUID, ...]
    transaction_time: datetime
    state: State
    place: int
    """Of the type that is written now, in `types`."""
    after: UUID | None
    """Last id of that type that is recorded."""
    parts: int
    lines: int
    error: str | None
    created_at: datetime
    ended_at: datetime | None

    @property
    def percent(self) -> int:
        """How far it is: ids are spread evenly, so the last one tells."""
        if self.state == "done":
            return 100
        within = self.after.int / (1 << 128) if self.after else 0.0
        return int(100 * (self.place + within) / len(self.types))

    def whose(self) -> str:
        """Say whose records they are, for the audit: no name, no id."""
        return f"of {len(self.persons)} patients by name" if self.persons else "of all patients"


@dataclass(frozen=True, slots=True)
class Part:
    """One file."""

    number: int
    name: str
    type: str
    lines: int
    persons: int
    size: int


def start(connection: sa.Connection, username: str, request: str, asked: Asked) -> Job:
    """Begin an export; it is worked at after the commit. Raises TooManyError."""
    if connection.execute(_OPEN, {"username": username}).scalar_one() >= MOST_OPEN:
        raise TooManyError(
            f"{MOST_OPEN} exports of {username} are not finished: wait for one, or cancel it",
            zh=f"{username} 已有 {MOST_OPEN} 个导出任务未完成：请等待或取消其中之一",
        )
    id_ = uuid4()
    values = {"types": list(asked.types), "since": asked.since, "persons": list(asked.persons)}
    connection.execute(_START, {"id": id_, "username": username, "request": request, **values})
    made = find(connection, id_)
    assert made is not None  # noqa: S101 - narrows: inserted just now
    return made


def find(connection: sa.Connection, id_: UUID) -> Job | None:
    """Return a job, or None."""
    row = connection.execute(_ONE, {"id": id_}).one_or_none()
    return None if row is None else _job(row)


def everyones(connection: sa.Connection) -> list[Job]:
    """Return all jobs, the newest first."""
    return [_job(row) for row in connection.execute(_ALL)]


def following(connection: sa.Connection) -> Job | None:
    """Return the job to work at: the oldest whose time lies behind every open write."""
    row = connection.execute(_NEXT).one_or_none()
    return None if row is None else _job(row)


def settle(connection: sa.Connection, id_: UUID) -> Job | None:
    """Put the time of a job of which nothing is recorded before every message that waits for the router, once
    the writes that were open at its kick-off are over; return the job as it is then.
    """
    connection.execute(_SETTLE, {"id": id_})
    return find(connection, id_)


def parts(connection: sa.Connection, id_: UUID) -> list[Part]:
    """Return the files that are recorded, in their order."""
    return [Part(*row) for row in connection.execute(_PARTS, {"id": id_})]


def advance(connection: sa.Connection, job: Job, place: int, after: UUID | None, part: Part | None) -> bool:
    """Record how far it is, and the file made meanwhile; False where the job is paused, gone, or moved on."""
    moved = {"id": job.id, "place": place, "after": after, "added": int(part is not None)}
    old = {"old_place": job.place, "old_after": job.after, "old_parts": job.parts}
    lines = part.lines if part else 0
    if connection.execute(_ADVANCE, {**moved, **old, "lines": lines}).one_or_none() is None:
        return False
    if part is not None:
        values = {name: getattr(part, name) for name in Part.__dataclass_fields__}
        connection.execute(_RECORD, {"job": job.id, **values})
    return True


def is_active(connection: sa.Connection, id_: UUID) -> bool:
    """Whether it is still to be worked at."""
    return bool(connection.execute(_ACTIVE, {"id": id_}).scalar_one_or_none())


def end(connection: sa.Connection, id_: UUID, error: str | None = None) -> None:
    """Say that it is done, or why it failed."""
    connection.execute(_END, {"id": id_, "state": "failed" if error else "done", "error": error})


def stopped(connection: sa.Connection, id_: UUID, error: str) -> None:
    """Say what stops it for now; it is tried again."""
    connection.execute(_STOPPED, {"id": id_, "error": error})


def switch(connection: sa.Connection, id_: UUID, old: State, to: State) -> bool:
    """Pause or go on; False where it is not in the state before."""
    return connection.execute(_SWITCH, {"id": id_, "old": old, "to": to}).one_or_none() is not None


def remove(connection: sa.Connection, id_: UUID) -> bool:
    """Take the job and what it recorded away; its files are the caller's. False where there is none."""
    return connection.execute(_REMOVE, {"id": id_}).one_or_none() is not None


def expire(connection: sa.Connection, hours: int) -> Sequence[UUID]:
    """Take away the jobs that ended so long ago; return their ids."""
    return connection.execute(_EXPIRE, {"hours": hours}).scalars().all()


def _job(row: sa.Row[tuple[object, ...]]) -> Job:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public way to a mapping
    return Job(**values | {"types": tuple(values["types"]), "persons": tuple(values["persons"])})
