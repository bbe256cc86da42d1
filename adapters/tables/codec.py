"""From a row to an arrival: its columns as JSON, nothing corrected.

Beside the columns the body has `_table`, `_key`, `_version` (orders the versions of a record), `_deleted`,
and, where the table embeds, the rows that travel together.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from adapters.tables.rows import Columns, Last, Row, version
from adapters.tables.settings import Campus, Table
from bus.envelope import Arrival

DELETED = "~deleted"
"""Ends the version of a deletion: after the last version that was read, before any later one."""


def arrival(campus: Campus, table: Table, row: Row) -> Arrival:
    """Return the message of one version of a row.

    The control id is key, version and the digest of the row's own columns, so that an unchanged row read
    again is a duplicate, and two edits within the watermark's resolution are two messages.
    """
    digest = _digest(row.columns)
    living = [columns for columns in row.siblings if not _flag(table, columns)]
    body: dict[str, Any] = {
        **_newest(campus, table, living or row.siblings or (row.columns,)),
        "_table": table.name,
        "_key": row.key,
        "_version": version(_latest(campus, row)),
        "_deleted": not living if table.embed else _flag(table, row.columns),
    }
    if table.embed:
        body[table.embed.as_] = list(row.siblings)
    control_id = f"{row.key}@{version(row.at)}#{digest.hex()[:12]}"
    return _arrival(campus, table, control_id, body, digest, version(row.at))


def deletion(campus: Campus, table: Table, body: Mapping[str, Any]) -> Arrival:
    """Return the message of a row that vanished; `body` is the last version that was read."""
    last = str(body["_version"])
    gone = {**body, "_deleted": True, "_version": last + DELETED}
    control_id = f"{body['_key']}@{last}{DELETED}"
    return _arrival(campus, table, control_id, gone, _digest(gone), None)


def remnant(table: Table, control_id: str, last: Last) -> dict[str, Any]:
    """Return what is still known of the last version of a row when retention dropped its body.

    It is enough to name the record that vanished; a rule that needs more holds the message, for a person.
    """
    version_ = control_id.rpartition("@")[2].partition("#")[0]
    body = {"_table": table.name, "_key": key_of(control_id), "_version": version_}
    columns = {table.key: key_of(control_id), table.patient: last.patient_number}
    if table.visit:
        columns[table.visit] = last.visit_number
    return body | {name: value for name, value in columns.items() if value is not None}


def key_of(control_id: str) -> str:
    """Return the row's key in a control id."""
    return control_id.rpartition("@")[0]


def is_deletion(control_id: str) -> bool:
    """Tell whether a control id is that of a deletion."""
    return control_id.endswith(DELETED)


def _arrival(
    campus: Campus, table: Table, control_id: str, body: Mapping[str, Any], digest: bytes, at: str | None
) -> Arrival:
    patient = body.get(table.patient)
    visit = body.get(table.visit) if table.visit else None
    return Arrival(
        facility=campus.facility,
        sender=table.name,
        control_id=control_id,
        message_type=f"table:{table.name}",
        body=_encode(body),
        charset="utf-8",
        protocol="tables",
        endpoint=f"{campus.source}/{table.name}",
        digest=digest,
        patient_number=str(patient) if patient else None,
        visit_number=str(visit) if visit else None,
        message_time=at,
    )


def _latest(campus: Campus, row: Row) -> datetime:
    stamps: list[datetime] = [sibling[campus.watermark] for sibling in row.siblings]
    return max([row.at, *stamps])


def _newest(campus: Campus, table: Table, siblings: Sequence[Columns]) -> Columns:
    # What rows that travel together say of the whole is what the newest says, whichever row brought them.
    return max(siblings, key=lambda columns: (columns[campus.watermark], str(columns[table.key])))


def _flag(table: Table, columns: Columns) -> bool:
    if table.deleted is None:
        return False
    value = columns[table.deleted]
    return (
        value is True or value == b"\x01" or str(value).strip() == "1"
    )  # bit, bit(1), and what people write


def _digest(columns: Mapping[str, Any]) -> bytes:
    return sha256(_encode(columns)).digest()


def _encode(value: Mapping[str, Any]) -> bytes:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_plain)
    return text.encode()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return version(value) if value.tzinfo else value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):  # MySQL's time
        minutes, seconds = divmod(int(value.total_seconds()), 60)
        return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    return str(value)
