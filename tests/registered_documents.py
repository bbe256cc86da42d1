"""Documents as a registry is told of them: with hash, size and repository; and people to be about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from consortium.access.model import Role, User
from consortium.documents import affinity, service
from consortium.documents.asking import QueryId, Return, StoredQuery
from consortium.documents.model import (
    Association,
    AssociationType,
    Availability,
    DocumentEntry,
    Folder,
    Found,
    PatientId,
    Submission,
)
from consortium.documents.service import Registry
from consortium.identity import service as identity
from consortium.records import service as records
from consortium.records.model import Change, Coded, Document, Kind, Patient, Practitioner, Provenance
from tests.shared_documents import CONSORTIUM, EPISODE, entry, oid, related, submission

DOMAIN = affinity.load(Path(__file__).resolve().parent.parent / "rules")
REPOSITORY = f"{CONSORTIUM}.1"
REGISTRY = Registry(DOMAIN, REPOSITORY)
HASH = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
NOW = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
SYSTEM = User("system.huangpu", "黄埔院区上传系统", Role.SYSTEM, "HP")
APPROVED, DEPRECATED = Availability.APPROVED.value, Availability.DEPRECATED.value
CONTENT = "出院小结：病情平稳。".encode("gb18030")
"""Of what the bus recorded."""
CDA = Coded(code="C0053", name="出院小结", system="urn:oid:2.16.156.10011.2.4")
WANG = PatientId("6f1c7a0e-0d5c-5b7e-9a43-0f6f0e6a9f11", CONSORTIUM)


def document(patient: PatientId = WANG, **changed: Any) -> DocumentEntry:
    """Return a document that a registry takes."""
    ready = {"hash": HASH, "size": 0, "repository_unique_id": REPOSITORY}
    return entry(patient, **(ready | changed))


def folder(patient: PatientId = WANG, **changed: Any) -> Folder:
    """Return a folder that a registry takes."""
    number = oid()
    made = Folder(
        entry_uuid=f"Folder{number}", unique_id=number, patient_id=patient, codes=(EPISODE,), title="本次住院"
    )
    return replace(made, **changed)


def member(of: str, held: str, **changed: Any) -> Association:
    """Return the membership of a document in a folder, or of anything in a set."""
    made = Association(entry_uuid=f"In{oid()}", type=AssociationType.HAS_MEMBER, source=of, target=held)
    return replace(made, **changed)


def replacing(
    original: str, by: DocumentEntry, how: AssociationType = AssociationType.REPLACES
) -> Submission:
    """Return a submission whose one document is related to a registered one."""
    return submission(by, more=(related(by, original, how),))


def patient_of(connection: sa.Connection, facility: str, number: str, **facts: Any) -> PatientId:
    """Register a patient number at a campus and return the consortium id."""
    said = Patient(number=number, **({"name": "欧阳珅", "birth_date": date(1980, 1, 1)} | facts))
    provenance = Provenance(message_id=1, facility=facility, received_at=NOW)
    person = identity.register(connection, facility, said, provenance).person_id
    return PatientId(str(person), CONSORTIUM)


def record(
    connection: sa.Connection,
    number: str,
    content: bytes = CONTENT,
    replaces: str | None = None,
    type_: Coded = CDA,
) -> UUID:
    """Record a document of HP000123 as the bus does, and return its id."""
    said = Document(
        number=number,
        type=type_,
        title="出院小结",
        mime_type="text/xml; charset=gb18030",
        content=content,
        replaces=replaces,
        author=Practitioner(number="D1", name="张医生"),
        created_at=datetime(2026, 11, 20, 1, 30, tzinfo=UTC),
    )
    change = Change(kind=Kind.DOCUMENT, patient=Patient(number="HP000123"), documents=(said,))
    provenance = Provenance(message_id=int(number.removeprefix("DOC")), facility="HP", received_at=NOW)
    records.apply(connection, change, provenance)
    wanted = "SELECT id FROM records.document WHERE number = %(number)s"
    id_: UUID = connection.exec_driver_sql(wanted, {"number": number}).scalar_one()
    return id_


class Shelf:
    """The registry over one connection, as a test works with it."""

    def __init__(self, connection: sa.Connection, registry: Registry = REGISTRY) -> None:
        self.connection = connection
        self.registry = registry
        self.now = NOW

    def register(self, what: Submission) -> Submission:
        """Register, and return it as it was registered."""
        return service.register(self.connection, self.registry, what, SYSTEM, self.now).submission

    def one(self, what: DocumentEntry) -> DocumentEntry:
        """Register one document, and return it."""
        return self.register(submission(what)).documents[0]

    def find(self, query: QueryId, returns: Return = Return.LEAF_CLASS, **parameters: Any) -> Found:
        """Ask; a parameter is a value, a list of values (OR) or a tuple of such lists (AND)."""
        slots = {f"${name}": _slots(value) for name, value in parameters.items()}
        return service.find(self.connection, self.registry, StoredQuery(query, slots, returns))

    def documents(self, patient: PatientId, **parameters: Any) -> list[str]:
        """Return the ids of the approved documents of a patient that meet the parameters."""
        wanted = {"XDSDocumentEntryPatientId": str(patient), "XDSDocumentEntryStatus": APPROVED} | parameters
        return [each.entry_uuid for each in self.find(QueryId.FIND_DOCUMENTS, **wanted).documents]

    def status(self, id_: str) -> Availability:
        """Return the availability of a document."""
        return self.document(id_).availability

    def document(self, id_: str) -> DocumentEntry:
        """Return a document by its id."""
        found = self.find(QueryId.GET_DOCUMENTS, XDSDocumentEntryEntryUUID=id_).documents
        assert len(found) == 1
        return found[0]

    def folder(self, id_: str) -> Folder:
        """Return a folder by its id."""
        (found,) = self.find(QueryId.GET_FOLDERS, XDSFolderEntryUUID=id_).folders
        return found

    def contents(self, folder_id: str) -> set[str]:
        """Return the documents in a folder."""
        found = self.find(QueryId.GET_FOLDER_AND_CONTENTS, XDSFolderEntryUUID=folder_id)
        return {each.entry_uuid for each in found.documents}


def _slots(value: Any) -> tuple[tuple[str, ...], ...]:
    if isinstance(value, tuple):
        return tuple(tuple(each) for each in value)
    return (tuple(value),) if isinstance(value, list) else ((value,),)


def person(patient: PatientId) -> UUID:
    """Return the person of a consortium id."""
    return UUID(patient.number)
