"""One known fact by its number, in the shape of the canonical model: what a rule enriches a message with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from pydantic import BaseModel

from consortium.records.model import Encounter, Order, Patient
from consortium.records.tables import TABLES

FACTS: Final[Mapping[str, type[BaseModel]]] = {"patient": Patient, "encounter": Encounter, "order": Order}
"""What can be looked up, and its model."""

_PATIENT = """
SELECT number, name, sex, birth_date, id_card, phone, address, deceased
  FROM identity.source_patient WHERE facility = %(facility)s AND number = %(number)s
"""
_RECORD = {
    name: (
        f'SELECT t.* FROM records.business_key k JOIN records."{name}" t'  # noqa: S608 - two names of this module
        " ON t.id = k.id AND t.patient_id = k.patient_id"
        " WHERE k.number = %(number)s AND k.kind = %(kind)s AND k.facility = %(facility)s AND NOT t.deleted"
    )
    for name in FACTS
    if name in TABLES
}


def find(connection: sa.Connection, facility: str, kind: str, number: str) -> Mapping[str, Any] | None:
    """Return what is known of a campus's patient, visit or order; None when it is not known.

    A record that was entered in error is not known.
    """
    parameters = {"facility": facility, "kind": kind, "number": number}
    statement = _RECORD.get(kind, _PATIENT)
    row = connection.exec_driver_sql(statement, parameters).mappings().one_or_none()
    if row is None:
        return None
    if kind not in TABLES:
        return dict(row)
    fact: dict[str, Any] = {"number": row["number"]}
    for column, path in TABLES[kind].said.items():
        if len(path) == 1:
            fact[path[0]] = row[column]
        else:
            fact.setdefault(path[0], {})[path[1]] = row[column]
    return fact
