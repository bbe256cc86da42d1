"""From a message to the rows of a target: every value of its column's type, or the reason why not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from adapters.tables.target import Cell, Family, Target
from bus.delivery.shaping import leaf, parts
from bus.delivery.transport import Outgoing, UnsendableError
from bus.rules.sending.tables import TablesDestination
from bus.sources.source import Source

Row = Mapping[str, Any]


def rows_of(spec: TablesDestination, target: Target, message: Outgoing) -> list[Row]:
    """Return the rows in the order of their keys, so that two writers never wait for each other in a ring.

    Raises UnsendableError, which names the column and quotes no value.
    """
    zone = ZoneInfo(spec.zone)
    found: dict[tuple[Any, ...], Row] = {}
    for part in parts(spec.each, message):
        row = _row(target, part, message, zone)
        key = tuple(row[name] for name in target.key)
        if key in found:
            raise UnsendableError(
                "same_key_twice", f"two parts of the message have one key ({', '.join(target.key)})"
            )
        found[key] = row
    return [row for _, row in sorted(found.items(), key=lambda item: tuple(map(str, item[0])))]


def _row(target: Target, part: Source, message: Outgoing, zone: ZoneInfo) -> Row:
    row = {}
    for name, cell in target.cells.items():
        value = fitted(name, cell, leaf(cell.leaf, part, message, name), zone)
        if value is None and (name in target.key or not cell.nullable):
            raise UnsendableError("missing", f"column {name} needs a value, and the message has none")
        row[name] = value
    return row


def fitted(name: str, cell: Cell, value: Any, zone: ZoneInfo) -> Any:
    """Return a value as its column keeps it. Raises UnsendableError for text that would be cut or garbled."""
    if value is None:
        return None
    match cell.family:
        case Family.TEXT:
            return _text(name, cell, value, zone)
        case Family.DATETIME:
            return _time(cell.type, value, zone)
        case Family.INTEGER:
            return int(value)
    return value


def _text(name: str, cell: Cell, value: Any, zone: ZoneInfo) -> str:
    text = _written(value, zone)
    length = getattr(cell.type, "length", None)
    if isinstance(length, int) and len(text) > length:
        raise UnsendableError(
            "too_long", f"column {name} takes {length} characters, and the message has more"
        )
    try:
        text.encode(cell.codec or "utf-8")
    except UnicodeEncodeError as error:
        what = f"the message has a character that is not in {cell.codec}"
        raise UnsendableError("not_in_charset", f"column {name}: {what}; ask for a Unicode column") from error
    return text


def _written(value: Any, zone: ZoneInfo) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, datetime):
        return value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, date):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _time(type_: sa.types.TypeEngine[Any], value: datetime | date, zone: ZoneInfo) -> datetime:
    at = value if isinstance(value, datetime) else datetime.combine(value, time(), zone)
    if isinstance(type_, mysql.TIMESTAMP | mysql.DATETIME) and not type_.fsp:
        at = at.replace(microsecond=0)  # it would round to the next second
    if isinstance(type_, mysql.TIMESTAMP):
        return at.astimezone(UTC).replace(tzinfo=None)  # the session's zone is UTC
    if getattr(type_, "timezone", False):
        return at
    return at.astimezone(zone).replace(tzinfo=None)
