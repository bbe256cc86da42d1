"""The watermark column as its database has it: how a bound is written, and how its values are read.

A column without a time zone holds the wall clock of the campus's `zone`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects import mssql, mysql, oracle
from sqlalchemy.sql import ColumnElement

from consortium.errors import PermanentError

FINEST = 6
"""Digits of a second that Python keeps; rows that differ in a seventh could be passed over."""
CLOCKS: Mapping[str, str] = {
    "postgresql": "SELECT current_timestamp",
    "mysql": "SELECT utc_timestamp(6)",
    "mariadb": "SELECT utc_timestamp(6)",
    "mssql": "SELECT CAST(SYSUTCDATETIME() AS datetime2(6))",
    "oracle": "SELECT SYS_EXTRACT_UTC(SYSTIMESTAMP) FROM dual",
}
"""The database's clock; without a zone it is UTC."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """One watermark column."""

    name: str
    type: sa.types.TypeEngine[Any]
    zone: ZoneInfo | None
    """Of its values, when they have none themselves."""
    backend: str

    def bound(self, at: datetime) -> ColumnElement[Any]:
        """Return a moment as it is compared with the column."""
        wall = at if self.zone is None else at.astimezone(self.zone).replace(tzinfo=None)
        if self.backend == "mssql":
            return _sql_server(wall, self.type)
        return sa.literal(wall, self.type)

    def moment(self, value: datetime) -> datetime:
        """Return a value of the column with its zone."""
        return value if value.tzinfo is not None or self.zone is None else value.replace(tzinfo=self.zone)


def _sql_server(at: datetime, type_: sa.types.TypeEngine[Any]) -> ColumnElement[Any]:
    """Return a moment as text, cast to the column's type: the driver would cut it to milliseconds."""
    if isinstance(type_, mssql.DATETIMEOFFSET):
        offset: Any = mssql.DATETIMEOFFSET(FINEST)  # type: ignore[no-untyped-call]
        return sa.cast(sa.literal(at.astimezone(UTC).isoformat(timespec="microseconds"), sa.Unicode), offset)
    if isinstance(type_, mssql.DATETIME2):
        precise: Any = mssql.DATETIME2(FINEST)  # type: ignore[no-untyped-call]
        return sa.cast(sa.literal(at.isoformat(timespec="microseconds"), sa.Unicode), precise)
    # datetime: ticks of 1/300 s, from a text of three digits
    return sa.cast(sa.literal(at.isoformat(timespec="milliseconds"), sa.Unicode), type_)


def watermark(name: str, columns: Mapping[str, Any], zone: str | None, backend: str) -> Watermark:
    """Return the watermark of a table by its columns; raises PermanentError when it cannot be followed."""
    if name not in columns:
        raise PermanentError(f"there is no column {name}; there are {', '.join(columns)}")
    type_ = columns[name]["type"]
    if not isinstance(type_, sa.DateTime):
        raise PermanentError(f"the watermark {name} is {type_!r}, which is no time")
    _refuse_too_fine(name, type_)
    if _has_zone(name, type_):
        return Watermark(name, type_, None, backend)
    if _is_utc(type_):
        return Watermark(name, type_, ZoneInfo("UTC"), backend)
    if zone is None:
        raise PermanentError(
            f"the watermark {name} keeps no time zone: write zone: Asia/Shanghai, or what its times are in"
        )
    return Watermark(name, type_, ZoneInfo(zone), backend)


def _refuse_too_fine(name: str, type_: sa.DateTime) -> None:
    precision = getattr(type_, "precision", None)
    if isinstance(type_, mssql.DATETIME2 | mssql.DATETIMEOFFSET) and precision is None:
        precision = 7  # what SQL Server makes of datetime2 alone
    if precision is not None and precision > FINEST:
        raise PermanentError(
            f"the watermark {name} has {precision} digits of a second, of which {FINEST} can be followed:"
            f" ask for a view that casts it to {FINEST}"
        )


def _has_zone(name: str, type_: sa.DateTime) -> bool:
    if isinstance(type_, mssql.DATETIMEOFFSET):
        return True
    if isinstance(type_, oracle.TIMESTAMP) and type_.timezone:
        raise PermanentError(
            f"the watermark {name} is TIMESTAMP WITH TIME ZONE, whose zone Oracle's driver leaves out:"
            " ask for a view with SYS_EXTRACT_UTC of it, and write zone: UTC"
        )
    return bool(getattr(type_, "timezone", False))


def _is_utc(type_: sa.DateTime) -> bool:
    """Whether the session's zone, which we set to UTC, decides what is read."""
    return isinstance(type_, mysql.TIMESTAMP) or (
        isinstance(type_, oracle.TIMESTAMP) and bool(getattr(type_, "local_timezone", False))
    )
