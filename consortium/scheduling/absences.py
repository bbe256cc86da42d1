"""Duties and absences as tables: who holds what, who is away, who covers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa

from consortium.scheduling.absence import EVERY_DUTY, Absence, Acting, Duty, Nobody, refuse_cycle, who_acts
from consortium.scheduling.errors import OverlapError, UnknownError, at

_COLUMNS = "id, username, duty, lower(during) AS since, upper(during) AS until, covered_by"
_LOCK = sa.text("LOCK TABLE scheduling.absence IN SHARE ROW EXCLUSIVE MODE")
_KNOWN = sa.text("SELECT username FROM access.account WHERE username = ANY(:usernames) AND NOT disabled")
_DURING = sa.text(
    f"SELECT {_COLUMNS} FROM scheduling.absence WHERE withdrawn_at IS NULL"  # noqa: S608 - a constant
    " AND during && tstzrange(:since, :until)"
)
_AT = sa.text(
    f"SELECT {_COLUMNS} FROM scheduling.absence WHERE withdrawn_at IS NULL"  # noqa: S608 - a constant
    " AND during @> CAST(:at AS timestamptz)"
)
_RECORD = sa.text(
    "INSERT INTO scheduling.absence (id, username, duty, during, covered_by, recorded_by)"
    " VALUES (:id, :username, :duty, tstzrange(:since, :until), :covered_by, :by)"
)
_WITHDRAW = sa.text(
    "UPDATE scheduling.absence SET withdrawn_at = COALESCE(withdrawn_at, clock_timestamp()),"
    " withdrawn_by = COALESCE(withdrawn_by, :by) WHERE id = :id"
)
_WHOSE = sa.text("SELECT username FROM scheduling.absence WHERE id = :id")
_FORGET = sa.text("DELETE FROM scheduling.duty_holder WHERE organisation = :organisation AND duty = :duty")
_HOLD = sa.text(
    "INSERT INTO scheduling.duty_holder (organisation, duty, rank, username)"
    " VALUES (:organisation, :duty, :rank, :username)"
)
_HOLDERS = sa.text(
    "SELECT username FROM scheduling.duty_holder WHERE organisation = :organisation AND duty = :duty"
    " ORDER BY rank"
)


def record(connection: sa.Connection, absence: Absence, *, by: str) -> UUID:
    """Record that somebody is away; the same again gives the id there is.

    Raises UnknownError for a user who is none or whose account is closed, CoverCycleError, OverlapError where
    they are said to be away already, ValueError for a time without zone or length.
    """
    if absence.since.tzinfo is None or absence.until.tzinfo is None or absence.until <= absence.since:
        raise ValueError("an absence has a start and a later end, both with a zone")
    if absence.covered_by == absence.username:
        raise ValueError("nobody covers for themself")
    _require_known(connection, [name for name in (absence.username, absence.covered_by) if name])
    connection.execute(_LOCK)  # one at a time: two of them together could make a circle
    known = _absences(connection, _DURING, since=absence.since, until=absence.until)
    if (same := _overlapping(known, absence)) is not None:
        return same
    refuse_cycle(known.values(), absence)
    id_ = uuid4()
    values = {name: getattr(absence, name) for name in Absence.__dataclass_fields__}
    connection.execute(_RECORD, {**values, "id": id_, "by": by})
    return id_


def withdraw(connection: sa.Connection, id_: UUID, *, by: str) -> None:
    """Say that an absence is none; withdrawn already, it stays as it is. Raises UnknownError."""
    if not connection.execute(_WITHDRAW, {"id": id_, "by": by}).rowcount:
        raise UnknownError("there is no such absence")


def whose(connection: sa.Connection, id_: UUID) -> str:
    """Return who is away by an absence, a withdrawn one too. Raises UnknownError."""
    found: str | None = connection.execute(_WHOSE, {"id": id_}).scalar_one_or_none()
    if found is None:
        raise UnknownError("there is no such absence")
    return found


def set_holders(connection: sa.Connection, organisation: str, duty: str, usernames: Sequence[str]) -> None:
    """Say who has a duty, who is asked first before the others. Raises UnknownError, ValueError."""
    if not duty or len(set(usernames)) != len(usernames):
        raise ValueError("a duty has a name, and each holder once")
    _require_known(connection, usernames)
    of = {"organisation": organisation, "duty": duty}
    connection.execute(_FORGET, of)
    for rank, username in enumerate(usernames, 1):
        connection.execute(_HOLD, {**of, "rank": rank, "username": username})


def duty_of(connection: sa.Connection, organisation: str, duty: str, at: datetime) -> Duty:
    """Return a duty with its holders, and who is away at an instant."""
    holders = connection.execute(_HOLDERS, {"organisation": organisation, "duty": duty}).scalars()
    return Duty(organisation, duty, tuple(holders), tuple(_absences(connection, _AT, at=at).values()))


def acting(connection: sa.Connection, organisation: str, duty: str, at: datetime) -> Acting | Nobody:
    """Decide who has a duty of an organisation at an instant (with zone)."""
    return who_acts(duty_of(connection, organisation, duty, at), at)


def _overlapping(known: dict[UUID, Absence], absence: Absence) -> UUID | None:
    """Return the id of the same absence. Raises OverlapError for another of the same person and duty."""
    for id_, one in known.items():
        if (one.username, one.duty) == (absence.username, absence.duty):
            if one == absence:
                return id_
            raise OverlapError(
                f"{one.username} is said to be away then already; withdraw that first",
                {"absence": str(id_), "since": at(one.since), "until": at(one.until)},
                zh=f"{one.username} 该时段已登记缺勤；请先撤销原登记",
            )
    return None


def _require_known(connection: sa.Connection, usernames: Sequence[str]) -> None:
    known = set(connection.execute(_KNOWN, {"usernames": list(usernames)}).scalars())
    if missing := sorted(set(usernames) - known):
        raise UnknownError(f"there is no open account of: {', '.join(missing)}")


def _absences(connection: sa.Connection, query: sa.TextClause, **when: datetime) -> dict[UUID, Absence]:
    return {
        row.id: Absence(row.username, row.since, row.until, row.covered_by, row.duty or EVERY_DUTY)
        for row in connection.execute(query, when)
    }
