"""Additions to the code tables: which campus code means what, who said so, and why. Appended only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

import sqlalchemy as sa

from consortium.terminology.errors import BusyError

LOCK = 93_000_010
"""Advisory lock: shared by batches that look codes up, exclusive for who maps one."""
PATIENCE = "15s"
"""How long to wait for batches to end."""
LOCK_NOT_AVAILABLE = "55P03"

COLUMNS = (
    "id, code_table, facility, code, target, name, system, valid_from, valid_to, relationship, owner,"
    " why, mapped_by, mapped_at"
)
_AFTER = sa.text(
    f"SELECT {COLUMNS} FROM terminology.map_entry WHERE id > :after ORDER BY id"  # noqa: S608 - a constant
)
_ADD = sa.text(
    "INSERT INTO terminology.map_entry (code_table, facility, code, target, name, system, valid_from,"  # noqa: S608
    " valid_to, relationship, owner, why, mapped_by)"
    " VALUES (:code_table, :facility, :code, :target, :name, :system, :valid_from, :valid_to,"
    f" :relationship, :owner, :why, :by) RETURNING {COLUMNS}"
)
_CURRENT = sa.text(
    f"SELECT DISTINCT ON (code_table, facility, code, valid_from) {COLUMNS}"  # noqa: S608 - a constant
    " FROM terminology.map_entry"
    " WHERE CAST(:code_table AS text) IS NULL OR code_table = :code_table"
    " ORDER BY code_table, facility, code, valid_from, id DESC"
)
_HISTORY = sa.text(
    f"SELECT {COLUMNS} FROM terminology.map_entry"  # noqa: S608 - a constant
    " WHERE code_table = :code_table AND facility = :facility AND code = :code ORDER BY id"
)


@dataclass(frozen=True, slots=True)
class Mapping:
    """What somebody wants a code to mean."""

    code_table: str
    facility: str
    code: str
    target: str
    name: str | None
    system: str | None
    valid_from: date | None = field(default=None, kw_only=True)
    """First day in force; None: since ever."""
    valid_to: date | None = field(default=None, kw_only=True)
    """Last day in force; None: until the next period of the code begins."""
    relationship: str | None = field(default=None, kw_only=True)
    """Of the target to the code (R4 ConceptMapEquivalence); None: equivalent."""
    owner: str | None = field(default=None, kw_only=True)
    """Who answers for it; None: the campus."""


@dataclass(frozen=True, slots=True)
class MapEntry(Mapping):
    """One addition to a code table; of those of a code that begin on the same day the newest counts."""

    id: int
    why: str
    mapped_by: str
    mapped_at: datetime


def hold_still(connection: sa.Connection) -> None:
    """Let nobody map a code before the caller's transaction ends."""
    connection.execute(sa.text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": LOCK})


def wait_for_batches(connection: sa.Connection) -> None:
    """Wait until no batch is under way, and let none begin before the caller's transaction ends.

    Raises `BusyError`.
    """
    connection.execute(sa.text("SELECT set_config('lock_timeout', :patience, true)"), {"patience": PATIENCE})
    try:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise BusyError(f"messages are being handled since more than {PATIENCE}; try again") from error
        raise


def after(connection: sa.Connection, id_: int) -> list[MapEntry]:
    """Return what was mapped after an entry, in that order."""
    return [MapEntry(**row) for row in connection.execute(_AFTER, {"after": id_}).mappings()]


def current(connection: sa.Connection, code_table: str | None = None) -> list[MapEntry]:
    """Return the additions that count, of one table or of all: for each period of a code the newest."""
    found = connection.execute(_CURRENT, {"code_table": code_table}).mappings()
    return [MapEntry(**row) for row in found]


def history(connection: sa.Connection, code_table: str, facility: str, code: str) -> list[MapEntry]:
    """Return everything a code was said to mean, oldest first."""
    values = {"code_table": code_table, "facility": facility, "code": code}
    return [MapEntry(**row) for row in connection.execute(_HISTORY, values).mappings()]


def add(connection: sa.Connection, wanted: Mapping, *, by: str, why: str) -> MapEntry:
    """Append what a code means from now on. The caller waited for batches (`wait_for_batches`)."""
    values = {
        "code_table": wanted.code_table,
        "facility": wanted.facility,
        "code": wanted.code,
        "target": wanted.target,
        "name": wanted.name,
        "system": wanted.system,
        "valid_from": wanted.valid_from,
        "valid_to": wanted.valid_to,
        "relationship": wanted.relationship,
        "owner": wanted.owner,
        "why": why,
        "by": by,
    }
    return MapEntry(**connection.execute(_ADD, values).mappings().one())
