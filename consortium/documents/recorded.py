"""Documents that the bus recorded (records.document), as documents of the registry: a projection, no copy.

Their ids are stable: the entry's UUID is the record's, its uniqueId the same number below 2.25 (ITU-T X.667).
What a record does not say is said as the affinity domain's *not stated*.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import sqlalchemy as sa
import structlog

from consortium.documents.affinity import AffinityDomain
from consortium.documents.columns import of_document
from consortium.documents.content import CorruptContentError, StoreAwayError
from consortium.documents.criteria import Condition, matches
from consortium.documents.model import (
    REPLACING,
    Association,
    AssociationType,
    Author,
    Availability,
    Code,
    DocumentEntry,
    PatientId,
    dtm,
)
from consortium.documents.registering import KnownObject
from consortium.documents.search import Held
from consortium.records import query
from consortium.records.query import Row

log = structlog.get_logger("consortium.documents")

_PAGE = 500
"""Records looked at together."""
_UNIQUE = "2.25."
_DIGITS = 39
"""Of the largest UUID as a number."""
_OID = "urn:oid:"
_CDA = "2.16.156.10011.2.4"
"""Code system of the document types of WS/T 500."""
_SCHEMES = {"http://loinc.org": "2.16.840.1.113883.6.1"}
"""Coding schemes by OID where records name them otherwise."""
_DICTIONARY = 9
"""Arc of a campus's own code system below its OID."""
_NAMESPACE = uuid.UUID("8a4f5a52-6d0b-5d2f-8f0e-58b0a2c3f0d1")
"""Namespace of the ids of associations between recorded documents."""

_NUMBERS = "SELECT id, number FROM identity.source_patient WHERE id = ANY(%(ids)s)"
_REPLACED = """
SELECT DISTINCT target FROM documents.association
 WHERE target = ANY(%(ids)s::uuid[]) AND type = ANY(%(types)s) AND status = 'approved'
"""
_REPLACING = """
SELECT n.id AS source, o.id AS target FROM records.document n
  JOIN records.document o ON o.patient_id = n.patient_id AND o.facility = n.facility AND o.number = n.replaces
 WHERE n.id = ANY(%(ids)s::uuid[]) AND NOT n.deleted AND NOT o.deleted
UNION SELECT n.id, o.id FROM records.document o
  JOIN records.document n ON n.patient_id = o.patient_id AND n.facility = o.facility AND n.replaces = o.number
 WHERE o.id = ANY(%(ids)s::uuid[]) AND NOT n.deleted AND NOT o.deleted
"""
_SHA1 = "SELECT sha256, sha1 FROM documents.content_sha1 WHERE sha256 = ANY(%(sha256)s)"
_KEEP_SHA1 = (
    "INSERT INTO documents.content_sha1 VALUES (%(sha256)s, %(sha1)s) ON CONFLICT (sha256) DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """Finds recorded documents over one connection."""

    connection: sa.Connection
    domain: AffinityDomain
    repository: str
    """uniqueId of the repository that hands them out."""
    most: int
    whole: bool = True
    """False: ids are enough, hashes are not looked for."""

    def of_persons(
        self, persons: Collection[UUID], conditions: Sequence[Condition]
    ) -> list[Held[DocumentEntry]]:
        """Return the documents of people that meet the conditions."""
        found: list[Held[DocumentEntry]] = []
        for person in persons:
            search = query.Search(person=person, limit=_PAGE)
            while len(found) <= self.most:
                page = query.documents(self.connection, search)
                found += self._entries(page.rows, conditions)
                if page.after is None:
                    break
                search = replace(search, after=page.after)
        return found

    def by_id(self, ids: Collection[UUID], conditions: Sequence[Condition] = ()) -> list[Held[DocumentEntry]]:
        """Return documents by id."""
        return self._entries(self._rows(ids), conditions)

    def by_unique_id(self, unique_ids: Collection[str]) -> list[Held[DocumentEntry]]:
        """Return documents by uniqueId."""
        return self.by_id([id_ for id_ in map(id_of, unique_ids) if id_ is not None])

    def known(self, ids: Collection[UUID]) -> dict[str, KnownObject]:
        """Return what a submission needs to know of documents that it names."""
        return {one.id: one for one in self._known(self._rows(ids), {})}

    def _known(self, rows: Sequence[Row], hashes: Mapping[bytes, bytes]) -> Iterator[KnownObject]:
        by_submissions = replaced(self.connection, rows)
        for row in rows:
            yield KnownObject(
                row["id"].urn,
                "document",
                row["person_id"],
                unique_id(row["id"]),
                availability(row, by_submissions) is Availability.APPROVED,
                _sha1(hashes, row),
                row["facility"],
            )

    def named(self, unique_ids: Collection[str]) -> dict[str, KnownObject]:
        """Return the documents that have these unique ids, with their hashes: nobody else's content may take
        their place.
        """
        ids = [id_ for id_ in map(id_of, unique_ids) if id_ is not None]
        rows = self._rows(ids)
        return {one.unique_id: one for one in self._known(rows, self._hashes(rows))}

    def associations(
        self, ids: Collection[UUID], types: Collection[AssociationType] = ()
    ) -> list[Association]:
        """Return the replacements that the records tell of, of or by these documents."""
        if types and AssociationType.REPLACES not in types:
            return []
        rows = self.connection.exec_driver_sql(_REPLACING, {"ids": list(ids)})
        return [_replacement(row.source, row.target) for row in rows]

    def _rows(self, ids: Collection[UUID]) -> list[Row]:
        if not ids:
            return []
        search = query.Search(ids=tuple(ids), limit=len(ids))
        return [row for row in query.documents(self.connection, search).rows if _has_content(row)]

    def _entries(self, rows: Sequence[Row], conditions: Sequence[Condition]) -> list[Held[DocumentEntry]]:
        rows = [row for row in rows if _has_content(row)]
        by_submissions, numbers = replaced(self.connection, rows), self._numbers(rows)
        found = []
        for row in rows:
            entry = self._entry(row, numbers[row["patient_id"]], availability(row, by_submissions))
            if matches(of_document(entry), tuple(conditions)):
                found.append((row, entry))
        hashes = self._hashes([row for row, _ in found]) if self.whole else {}
        return [Held(_hashed(entry, hashes, row), row["person_id"]) for row, entry in found]

    def _entry(self, row: Row, number: str, availability: Availability) -> DocumentEntry:
        campus = next((each for each in self.domain.authorities if each.name == row["facility"]), None)
        oid = campus.oid if campus else ""
        kind = _type(row, oid)
        return DocumentEntry(
            entry_uuid=row["id"].urn,
            logical_id=row["id"].urn,
            unique_id=unique_id(row["id"]),
            patient_id=PatientId(str(row["person_id"]), self.domain.consortium),
            availability=availability,
            title=row["title"],
            mime_type=row["mime_type"].partition(";")[0].strip(),
            class_code=self._class(kind),
            type_code=kind,
            format_code=self._format(row, kind),
            facility_type_code=self.domain.code(
                "facility_type", (campus and campus.facility_type) or "other"
            ),
            practice_setting_code=self.domain.code("practice_setting", "00"),
            confidentiality_codes=(self.domain.code("confidentiality", "N"),),
            authors=(_author(row, campus.zh if campus else row["facility"], oid),),
            creation_time=dtm(row["created_at"] or row["at"]),
            language_code="zh-CN",
            size=row["content_size"],
            repository_unique_id=self.repository,
            source_patient_id=PatientId(number, oid) if oid else None,
        )

    def _class(self, kind: Code) -> Code:
        concept = self.domain.concept("type", kind)
        return self.domain.code("class", (concept and concept.class_) or "other")

    def _format(self, row: Row, kind: Code) -> Code:
        cda = kind.scheme == _CDA and "xml" in row["mime_type"]
        return self.domain.code("format", "wst500-cda" if cda else "urn:ihe:iti:xds:2017:mimeTypeSufficient")

    def _numbers(self, rows: Sequence[Row]) -> dict[int, str]:
        ids = sorted({row["patient_id"] for row in rows})
        found = self.connection.exec_driver_sql(_NUMBERS, {"ids": ids})
        return {row.id: row.number for row in found}

    def _hashes(self, rows: Sequence[Row]) -> Mapping[bytes, bytes]:
        wanted = {bytes(row["content_sha256"]): row["id"] for row in rows}
        kept = self.connection.exec_driver_sql(_SHA1, {"sha256": list(wanted)})
        found = {bytes(row.sha256): bytes(row.sha1) for row in kept}
        for sha256, id_ in wanted.items():
            if sha256 in found:
                continue
            try:
                content = query.content(self.connection, id_)
            except (CorruptContentError, StoreAwayError) as error:
                # It is found all the same, without a hash; who retrieves it is told.
                log.warning("content_not_read", record_id=str(id_), error=type(error).__name__)
                continue
            if content is not None:
                found[sha256] = hashlib.sha1(content.data, usedforsecurity=False).digest()
                self.connection.exec_driver_sql(_KEEP_SHA1, {"sha256": sha256, "sha1": found[sha256]})
        return found


def unique_id(id_: UUID) -> str:
    """Return the uniqueId of a recorded document."""
    return f"{_UNIQUE}{id_.int}"


def content(connection: sa.Connection, unique_id: str) -> query.Content | None:
    """Return what a recorded document holds, by its uniqueId; None: there is no such document."""
    id_ = id_of(unique_id)
    return None if id_ is None else query.content(connection, id_)


def id_of(unique_id: str) -> UUID | None:
    """Return the record that a uniqueId may be that of."""
    number = unique_id.removeprefix(_UNIQUE)
    if number == unique_id or len(number) > _DIGITS or not (number.isascii() and number.isdecimal()):
        return None
    if int(number) >> 128:
        return None
    return UUID(int=int(number))


def replaced(connection: sa.Connection, rows: Sequence[Row]) -> frozenset[UUID]:
    """Return which of these records a submission replaces; what a record replaces, the row itself says."""
    wanted = {"ids": [row["id"] for row in rows], "types": REPLACING}
    return frozenset(connection.exec_driver_sql(_REPLACED, wanted).scalars())


def availability(row: Row, by_submissions: frozenset[UUID]) -> Availability:
    """Return whether a record stands, given which ones submissions replace."""
    current = row["status"] == "current" and not row["superseded"] and row["id"] not in by_submissions
    return Availability.APPROVED if current else Availability.DEPRECATED


def _has_content(row: Row) -> bool:
    return row["content_sha256"] is not None


def _type(row: Row, oid: str) -> Code:
    system = row["type_system"] or f"{oid}.{_DICTIONARY}"
    scheme = _SCHEMES.get(system, system.removeprefix(_OID))
    return Code(row["type_code"], scheme, row["type_name"] or row["title"])


def _author(row: Row, institution: str, oid: str) -> Author:
    person = None
    if row["author_number"] or row["author_name"]:
        person = f"{row['author_number'] or ''}^{row['author_name'] or ''}"
        person += f"^^^^^^^&{oid}.7&ISO" if row["author_number"] and oid else ""
    return Author(person=person, institutions=(f"{institution}^^^^^^^^^{oid}" if oid else institution,))


def _sha1(hashes: Mapping[bytes, bytes], row: Row) -> str | None:
    found = hashes.get(bytes(row["content_sha256"]))
    return found.hex() if found else None


def _hashed(entry: DocumentEntry, hashes: Mapping[bytes, bytes], row: Row) -> DocumentEntry:
    found = _sha1(hashes, row)
    return replace(entry, hash=found) if found else entry


def _replacement(source: UUID, target: UUID) -> Association:
    return Association(
        entry_uuid=uuid.uuid5(_NAMESPACE, f"{source} {target}").urn,
        type=AssociationType.REPLACES,
        source=source.urn,
        target=target.urn,
    )
