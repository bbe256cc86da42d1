"""What is known of a patient and of records, as facts of the canonical model: what the rows say, read back.

A message may say little: a report names a patient by number alone. What goes on to another system is the
message's change completed by what is known after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from consortium.records import query, tables
from consortium.records.keys import record_id
from consortium.records.model import (
    Allergy,
    Appointment,
    Change,
    Charge,
    Coded,
    Document,
    Encounter,
    Fact,
    Order,
    Patient,
    Procedure,
    Report,
    Result,
)
from consortium.records.query import Row
from consortium.records.tables import Table

_PATIENT = sa.text(
    "SELECT number, name, sex, birth_date, id_card, phone, address, deceased, vip"
    " FROM identity.source_patient WHERE facility = :facility AND number = :number"
)
F = TypeVar("F", bound=Fact)


def patient(connection: sa.Connection, facility: str, number: str) -> Patient | None:
    """Return a patient as one campus knows them; None when the number is not registered."""
    values = {"facility": facility, "number": number}
    row = connection.execute(_PATIENT, values).mappings().one_or_none()
    if row is None:
        return None
    return Patient.model_validate({name: value for name, value in row.items() if value is not None})


def fact(connection: sa.Connection, kind: str, facility: str, number: str) -> Fact | None:
    """Return what is known of the record of a number; `kind` is that of the number: encounter, order,
    `<kind>_report`, document, charge, appointment, procedure, allergy.
    """
    table = tables.REPORT if kind.endswith("_report") else tables.TABLES[kind]
    row = query.record(connection, table.name, record_id(facility, kind, number))
    return None if row is None else _of(connection, table, row)


def completed(connection: sa.Connection, change: Change, facility: str) -> Change:
    """Return a recorded change with all that is known of what it is about, results entered in error
    included.
    """
    known: dict[str, Any] = {"patient": patient(connection, facility, change.patient.number)}
    if change.encounter is not None:
        known["encounter"] = fact(connection, "encounter", facility, change.encounter.number)
    sections: Mapping[str, Sequence[tuple[str, str]]] = {
        "orders": [("order", one.number) for one in change.orders],
        "reports": [(f"{one.kind}_report", one.number) for one in change.reports],
        "documents": [("document", one.number) for one in change.documents],
        "charges": [("charge", one.number) for one in change.charges],
        "appointments": [("appointment", one.number) for one in change.appointments],
        "procedures": [("procedure", one.number) for one in change.procedures],
        "allergies": [("allergy", one.number) for one in change.allergies],
    }
    for section, numbers in sections.items():
        found = [fact(connection, kind, facility, number) for kind, number in numbers]
        known[section] = tuple(one for one in found if one is not None)
    return change.model_copy(update={name: value for name, value in known.items() if value})


def _of(connection: sa.Connection, table: Table, row: Row) -> Fact:
    own: dict[str, Any] = {"number": row["number"], "deleted": row["deleted"]}
    if table is tables.ENCOUNTER:
        rows = query.diagnoses(connection, [row])
        return _made(Encounter, table, row, **own, diagnoses=tuple(_diagnosis(one) for one in rows))
    if table is tables.REPORT:
        rows = query.results_of(connection, [row], deleted=True)
        results = tuple(_made(Result, tables.RESULT, one, deleted=one["deleted"]) for one in rows)
        return _made(Report, table, row, **own, results=results)
    if table is tables.DOCUMENT:
        content = query.content(connection, row["id"])
        return _made(Document, table, row, **own, content=content.data if content else b"")
    return _made(_PLAIN[table.name], table, row, **own)


_PLAIN: Mapping[str, type[Fact]] = {
    "order": Order,
    "charge": Charge,
    "appointment": Appointment,
    "procedure": Procedure,
    "allergy": Allergy,
}


def _diagnosis(row: Row) -> Coded:
    return Coded(code=row["code"], name=row["name"], system=row["system"])


def _made(model: type[F], table: Table, row: Row, **own: Any) -> F:
    """Return the fact of a row: the inverse of `consortium.records.facts`."""
    values: dict[str, Any] = {}
    for column, (top, *rest) in table.said.items():
        value = row[column]
        if value is None:
            continue
        if rest:
            values.setdefault(top, {})[rest[0]] = value
        else:
            values[top] = value
    return model.model_validate(values | own)
