"""Registering, linking and finding people, in the caller's transaction (READ COMMITTED)."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from consortium.identity.census import Census, Statement
from consortium.identity.decisions import decide, revoke
from consortium.identity.model import MergeError, SourcePatient
from consortium.identity.relinking import relink
from consortium.identity.search import PersonSearch, person, search, successors
from consortium.records.model import Merge, Patient, Provenance

__all__ = [
    "PersonSearch",
    "decide",
    "known",
    "merge",
    "person",
    "person_of",
    "register",
    "relink",
    "revoke",
    "search",
    "successors",
    "unmerge",
]

_KNOWN = """
SELECT EXISTS (SELECT FROM identity.source_patient WHERE facility = %(facility)s AND number = %(number)s)
"""
_PERSON_OF = """
SELECT l.person_id FROM identity.source_patient s JOIN identity.link l ON l.source_patient_id = s.id
 WHERE s.facility = %(facility)s AND s.number = %(number)s
"""


def known(connection: sa.Connection, facility: str, number: str) -> bool:
    """Whether a campus's patient number is registered."""
    return bool(connection.exec_driver_sql(_KNOWN, {"facility": facility, "number": number}).scalar_one())


def person_of(connection: sa.Connection, facility: str, number: str) -> UUID | None:
    """Return the person behind a campus's patient number; None when it is not registered."""
    found: UUID | None = connection.exec_driver_sql(
        _PERSON_OF, {"facility": facility, "number": number}
    ).scalar_one_or_none()
    return found


def register(
    connection: sa.Connection, facility: str, patient: Patient, provenance: Provenance
) -> SourcePatient:
    """Register a patient or change what is known of them, and link; the same again changes nothing."""
    return _pass(connection, facility, patient, provenance, None)


def merge(connection: sa.Connection, facility: str, merged: Merge, provenance: Provenance) -> SourcePatient:
    """Retire a number for another of the same campus (ADT^A40), in whatever order the numbers come; returns
    the survivor.

    Raises:
        MergeError: the two are one number, or the survivor was merged into the retired one.
    """
    return _pass(connection, facility, Patient(number=merged.surviving), provenance, merged)


def unmerge(connection: sa.Connection, facility: str, retired: str, provenance: Provenance) -> SourcePatient:
    """Undo the merge of a retired number: it is linked again as if it had not been merged; no record moves.

    Raises:
        MergeError: the number is not registered, or not merged.
    """
    statement = Statement(
        Patient(number=retired), provenance.model_copy(update={"facility": facility}), reconsider=True
    )
    if not known(connection, facility, retired):
        raise MergeError("not_merged", "no such number is registered at that campus")
    census = Census(connection, [statement])
    census.release(statement)
    census.finish()
    return census.current(facility, retired)


def _pass(
    connection: sa.Connection, facility: str, patient: Patient, provenance: Provenance, merged: Merge | None
) -> SourcePatient:
    statement = Statement(patient, provenance.model_copy(update={"facility": facility}), merged)
    census = Census(connection, [statement])
    census.take(statement)
    census.finish()
    return census.current(facility, patient.number)
