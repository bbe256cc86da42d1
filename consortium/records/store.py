"""The statements of records: whole sets of rows in one statement each.

New rows go by COPY. Changed rows go as one JSON parameter: `json_populate_recordset` gives every value its
column's type, so one short text serves all columns of a table. The texts are made here from the constants of
`consortium.records.tables` alone.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from types import MappingProxyType
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa

from consortium.records.facts import Key, Row
from consortium.records.keys import child_range
from consortium.records.tables import TABLES, Table

_FIXED = frozenset({"id", "patient_id", "facility", "number"})


def _name(table: Table) -> str:
    return f'records."{table.name}"'


def _copy_text(table: Table) -> str:
    columns = ", ".join(f'"{column}"' for column in table.columns)
    return f"COPY {_name(table)} ({columns}) FROM STDIN"


def _update_text(table: Table) -> str:
    name = _name(table)
    columns = ", ".join(f'"{c}" = n."{c}"' for c in table.columns if c not in _FIXED)
    return (
        f"UPDATE {name} t SET {columns}"  # noqa: S608 - see the module
        f" FROM json_populate_recordset(NULL::{name}, %(rows)s::json) n"
        " WHERE t.id = n.id AND t.patient_id = n.patient_id"
    )


def _load_text(table: Table) -> str:
    return (
        f"SELECT t.* FROM {_name(table)} t"  # noqa: S608 - see the module
        " JOIN unnest(%(ids)s::uuid[], %(patients)s::bigint[]) AS k(id, patient_id)"
        " ON t.id = k.id AND t.patient_id = k.patient_id"
    )


def _children_text(table: Table, parent: str) -> str:
    return (
        f"SELECT t.* FROM {_name(table)} t"  # noqa: S608 - see the module
        " JOIN unnest(%(ids)s::uuid[], %(lows)s::uuid[], %(highs)s::uuid[], %(patients)s::bigint[])"
        f" AS k(id, low, high, patient_id) ON t.patient_id = k.patient_id AND t.{parent} = k.id"
        " AND t.id BETWEEN k.low AND k.high"
    )


_COPY = MappingProxyType({t.name: _copy_text(t) for t in TABLES.values()})
_UPDATE = MappingProxyType({t.name: _update_text(t) for t in TABLES.values()})
_LOAD = MappingProxyType({t.name: _load_text(t) for t in TABLES.values()})
_CHILDREN = MappingProxyType(
    {
        "diagnosis": _children_text(TABLES["diagnosis"], "encounter_id"),
        "result": _children_text(TABLES["result"], "report_id"),
    }
)
_KEY_COLUMNS = ("number", "kind", "facility", "id", "patient_id")
_COPY_KEYS = "COPY records.business_key (number, kind, facility, id, patient_id) FROM STDIN"
_KEYS = """
SELECT b.number, b.kind, b.facility, b.patient_id FROM records.business_key b
  JOIN unnest(%(numbers)s::text[], %(kinds)s::text[], %(facilities)s::text[]) AS k(number, kind, facility)
    ON b.number = k.number AND b.kind = k.kind AND b.facility = k.facility
"""
_HISTORY = """
INSERT INTO records.history SELECT * FROM json_populate_recordset(NULL::records.history, %(rows)s::json)
"""
_CRITICAL = """
INSERT INTO records.critical_value (
  id, facility, patient_id, report_id, result_id, encounter_id, item_code, item_name, value, unit,
  reference_range, flag, observed_at, doctor_number, doctor_name, department_code, department_name,
  opened_at, message_id)
SELECT n.id, n.facility, n.patient_id, n.report_id, n.result_id, n.encounter_id, n.item_code, n.item_name,
       n.value, n.unit, n.reference_range, n.flag, n.observed_at,
       CASE WHEN n.doctor_number IS NULL AND n.doctor_name IS NULL
            THEN coalesce(o.doctor_number, e.doctor_number) ELSE n.doctor_number END,
       CASE WHEN n.doctor_number IS NULL AND n.doctor_name IS NULL
            THEN coalesce(o.doctor_name, e.doctor_name) ELSE n.doctor_name END,
       coalesce(o.department_code, e.department_code), coalesce(o.department_name, e.department_name),
       n.opened_at, n.message_id
  FROM json_to_recordset(%(rows)s::json) AS n(
         id uuid, facility text, patient_id bigint, report_id uuid, result_id uuid, encounter_id uuid,
         order_id uuid, item_code text, item_name text, value text, unit text, reference_range text,
         flag text,
         observed_at timestamptz, doctor_number text, doctor_name text, opened_at timestamptz,
         message_id bigint)
  LEFT JOIN records."order" o ON o.id = n.order_id AND o.patient_id = n.patient_id
  LEFT JOIN records.encounter e ON e.id = n.encounter_id AND e.patient_id = n.patient_id
ON CONFLICT (id) DO NOTHING
RETURNING id
"""
_WITHDRAW = """
UPDATE records.critical_value c SET state = 'withdrawn', withdrawn_at = n.changed_at
  FROM json_to_recordset(%(rows)s::json) AS n(id uuid, patient_id bigint, changed_at timestamptz)
 WHERE c.patient_id = n.patient_id AND c.result_id = n.id AND c.state IN ('open', 'notified', 'escalated')
RETURNING c.id, c.result_id
"""


def owners(connection: sa.Connection, keys: Collection[Key]) -> dict[Key, int]:
    """Return whose the numbers are that are known."""
    if not keys:
        return {}
    numbers, kinds, facilities = (list(part) for part in zip(*keys, strict=True))
    parameters = {"numbers": numbers, "kinds": kinds, "facilities": facilities}
    rows = connection.exec_driver_sql(_KEYS, parameters)
    return {(row.number, row.kind, row.facility): row.patient_id for row in rows}


def load(connection: sa.Connection, table: Table, wanted: Mapping[UUID, int]) -> list[Row]:
    """Load records by id and source patient."""
    if not wanted:
        return []
    parameters = {"ids": list(wanted), "patients": list(wanted.values())}
    return [dict(row) for row in connection.exec_driver_sql(_LOAD[table.name], parameters).mappings()]


def load_children(connection: sa.Connection, table: Table, parents: Mapping[UUID, int]) -> list[Row]:
    """Load the parts of records, which are given by id and source patient."""
    if not parents:
        return []
    lows, highs = zip(*map(child_range, parents), strict=True)
    parameters = {
        "ids": list(parents),
        "patients": list(parents.values()),
        "lows": list(lows),
        "highs": list(highs),
    }
    return [dict(row) for row in connection.exec_driver_sql(_CHILDREN[table.name], parameters).mappings()]


def insert(connection: sa.Connection, table: Table, rows: Sequence[Row]) -> None:
    """Write new records and their numbers.

    Raises:
        sqlalchemy.exc.IntegrityError: another transaction wrote the same number meanwhile.
    """
    if not rows:
        return
    if table.key_kind is not None:
        _copy(connection, _COPY_KEYS, _KEY_COLUMNS, [row | {"kind": table.key_kind(row)} for row in rows])
    _copy(connection, _COPY[table.name], table.columns, rows)


def update(connection: sa.Connection, table: Table, rows: Sequence[Row]) -> None:
    """Write known records anew."""
    _write(connection, _UPDATE[table.name], rows)


@dataclass(frozen=True, slots=True)
class Replaced:
    """A version that was replaced, by which message and when."""

    table: Table
    row: Row
    message_id: int
    at: datetime


def keep(connection: sa.Connection, replaced: Iterable[Replaced]) -> None:
    """Keep replaced versions."""
    rows = [
        {
            "record_id": old.row["id"],
            "version": old.row["version"],
            "kind": old.table.name,
            "patient_id": old.row["patient_id"],
            "facts": old.row,
            "message_id": old.message_id,
            "replaced_at": old.at,
        }
        for old in replaced
    ]
    _write(connection, _HISTORY, rows)


def open_critical(connection: sa.Connection, rows: Sequence[Row]) -> list[UUID]:
    """Open critical values; returns the ids of those that were not known. Who ordered follows from report,
    order or visit.
    """
    if not rows:
        return []
    return [row.id for row in connection.exec_driver_sql(_CRITICAL, {"rows": encode(rows)})]


def withdraw_critical(connection: sa.Connection, results: Sequence[Row]) -> dict[UUID, UUID]:
    """Withdraw the critical values of results that nobody acknowledged; returns each with its result."""
    if not results:
        return {}
    rows = [{name: row[name] for name in ("id", "patient_id", "changed_at")} for row in results]
    withdrawn = connection.exec_driver_sql(_WITHDRAW, {"rows": encode(rows)})
    return {row.id: row.result_id for row in withdrawn}


def encode(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as JSON that PostgreSQL reads back to the same values."""
    return json.dumps(rows, default=_plain, ensure_ascii=False)


def _copy(connection: sa.Connection, statement: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Send rows by COPY, cheaper than any INSERT. SQLAlchemy has no word for it, its driver does."""
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # any driver's
    values = itemgetter(*columns)
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(values(row))
    except psycopg.Error as error:
        raise _as_sqlalchemy(connection, statement, error, broken=driver.broken) from error


def _as_sqlalchemy(
    connection: sa.Connection, statement: str, error: psycopg.Error, *, broken: bool
) -> BaseException:
    """Return the error that SQLAlchemy would have raised, so that callers know one family of errors."""
    return sa.exc.DBAPIError.instance(
        statement,
        None,
        error,
        psycopg.Error,
        hide_parameters=True,
        connection_invalidated=broken,
        dialect=connection.dialect,
    )


def _write(connection: sa.Connection, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.exec_driver_sql(statement, {"rows": encode(rows)})


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    raise TypeError(f"no column takes a {type(value).__name__}")
