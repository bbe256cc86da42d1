"""A Provide Document Bundle (ITI-65) as a submission with its documents; every mistake is told at once."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bus.fhir.documents import terms
from bus.fhir.documents.entries import Entries, Problems, submitted
from bus.fhir.documents.minimal import filled
from bus.fhir.documents.people import read_author, read_authors, xcn
from bus.fhir.documents.terms import code_of, codes_of, dtm_of, scheme_of
from bus.fhir.reading.issues import InvalidResourceError, Issue
from bus.fhir.shapes import Resource
from consortium.documents.affinity import AffinityDomain
from consortium.documents.model import (
    Association,
    AssociationType,
    Code,
    DocumentEntry,
    Folder,
    MemberKind,
    PatientId,
    Submission,
    SubmissionSet,
    dtm,
)

NO_CODE = Code("", "")
PatientOf = Callable[[Resource], PatientId | None]
"""Returns the consortium id of a Reference to a patient, or of a Patient resource."""
RELATIONS = {
    "replaces": AssociationType.REPLACES,
    "appends": AssociationType.APPENDS,
    "transforms": AssociationType.TRANSFORMS,
    "signs": AssociationType.SIGNS,
}


@dataclass(frozen=True, slots=True)
class Provided:
    """What was submitted."""

    submission: Submission
    contents: Mapping[str, bytes]
    """By the id of their entry."""
    places: Mapping[str, int]
    """Which entry of the bundle an object is, by its id."""


def read(
    bundle: Resource, patient_of: PatientOf, domain: AffinityDomain, new_oid: Callable[[], str], now: datetime
) -> Provided:
    """Read a bundle. Raises InvalidResourceError."""
    reader = _Reader(submitted(bundle), patient_of, new_oid, now)
    provided = reader.read()
    if reader.entries.minimal:
        documents = tuple(filled(one, domain, now) for one in provided.submission.documents)
        return replace(provided, submission=replace(provided.submission, documents=documents))
    return provided


class _Reader:
    def __init__(
        self, entries: Entries, patient_of: PatientOf, new_oid: Callable[[], str], now: datetime
    ) -> None:
        self.entries = entries
        self._patient_of = patient_of
        self._new_oid = new_oid
        self._now = now
        self._problems = Problems()
        self._contents: dict[str, bytes] = {}
        self._associations: list[Association] = []

    def read(self) -> Provided:
        sets, folders, documents = self.entries.sets, self.entries.folders, self.entries.documents
        if len(sets) != 1:
            raise InvalidResourceError(
                [
                    Issue(
                        "Bundle.entry",
                        f"one List with the code submissionset is needed, there are {len(sets)}",
                    )
                ]
            )
        read_documents = tuple(self._document(id_, resource) for id_, resource in documents.items())
        read_folders = tuple(self._folder(id_, resource) for id_, resource in folders.items())
        ((set_id, set_resource),) = sets.items()
        read_set = self._set(set_id, set_resource)
        self._members(set_id, set_resource, {*documents, *folders})
        self._problems.refuse()
        submission = Submission(read_set, read_documents, read_folders, tuple(self._associations))
        return Provided(submission, self._contents, self.entries.places)

    def _common(self, id_: str, resource: Resource, identifiers: Sequence[Any]) -> dict[str, Any]:
        return {
            "entry_uuid": id_,
            "unique_id": _oid(terms.unique_id_of(identifiers)) or self._new_oid(),
            "patient_id": self._patient(id_, resource),
        }

    def _patient(self, id_: str, resource: Resource) -> PatientId:
        subject = resource.get("subject")
        look = self.entries.look(resource)
        found = look(subject) if isinstance(subject, dict) else None
        patient = self._patient_of(found or subject) if isinstance(subject, dict) else None
        if patient is None:
            text = "name a patient who is known here: Patient/<id>, or an identifier"
            self._wrong(id_, "subject", text)
            return PatientId("", "")
        return patient

    def _document(self, id_: str, resource: Resource) -> DocumentEntry:
        look = self.entries.look(resource)
        attachment, format_ = self._content(id_, resource)
        context = resource.get("context") or {}
        period = context.get("period") or {}
        authenticator = look(resource.get("authenticator"))
        source = look(context.get("sourcePatientInfo"))
        self._relate(id_, resource)
        categories = codes_of(resource.get("category"))
        return DocumentEntry(
            **self._common(id_, resource, [resource.get("masterIdentifier")]),
            title=attachment.get("title") or resource.get("description"),
            comments=resource.get("description"),
            mime_type=str(attachment.get("contentType") or ""),
            class_code=categories[0] if categories else NO_CODE,
            type_code=code_of(resource.get("type")) or NO_CODE,
            format_code=code_of(format_) or NO_CODE,
            facility_type_code=code_of(context.get("facilityType")) or NO_CODE,
            practice_setting_code=code_of(context.get("practiceSetting")) or NO_CODE,
            confidentiality_codes=codes_of(resource.get("securityLabel")),
            event_codes=codes_of(context.get("event")),
            authors=read_authors(resource.get("author"), look),
            creation_time=dtm_of(attachment.get("creation")),
            service_start_time=dtm_of(period.get("start")),
            service_stop_time=dtm_of(period.get("end")),
            language_code=attachment.get("language"),
            legal_authenticator=xcn(authenticator) if authenticator else None,
            hash=self._hash(id_, attachment),
            size=attachment.get("size"),
            source_patient_id=_source_id(source),
            source_patient_info=_source_info(source),
            reference_ids=_references(context.get("related")),
        )

    def _content(self, id_: str, resource: Resource) -> tuple[Resource, Resource]:
        contents = resource.get("content")
        if not isinstance(contents, list) or len(contents) != 1:
            self._wrong(
                id_, "content", "exactly one content is taken; send another DocumentReference for more"
            )
            return {}, {}
        attachment = contents[0].get("attachment") or {}
        binary = self.entries.binaries.get(str(attachment.get("url"))) or {}
        data = self._data(id_, attachment, binary)
        if data is not None:
            self._contents[id_] = data
        stated = {"contentType": attachment.get("contentType") or binary.get("contentType")}
        return attachment | stated, contents[0].get("format") or {}

    def _data(self, id_: str, attachment: Resource, binary: Resource) -> bytes | None:
        encoded = attachment.get("data", binary.get("data"))
        if encoded is None:
            text = "it is the fullUrl of no Binary of this bundle that has data"
            self._wrong(id_, "content[0].attachment.url", text)
            return None
        try:
            return base64.b64decode(str(encoded), validate=True)
        except (binascii.Error, ValueError):
            self._wrong(id_, "content[0].attachment", "its data is not base64")
            return None

    def _hash(self, id_: str, attachment: Resource) -> str | None:
        if attachment.get("hash") is None:
            return None
        try:
            return base64.b64decode(str(attachment["hash"]), validate=True).hex()
        except (binascii.Error, ValueError):
            self._wrong(id_, "content[0].attachment.hash", "it must be the SHA-1 in base64")
            return None

    def _relate(self, id_: str, resource: Resource) -> None:
        """Read relatesTo; a transform that also replaces is one association."""
        targets: dict[str, set[AssociationType]] = {}
        for one in resource.get("relatesTo") or ():
            kind, target = RELATIONS.get(str(one.get("code"))), self.entries.object_id(one.get("target"))
            if kind is None or target is None:
                text = "it needs a code, and a target of this bundle or DocumentReference/<id>"
                self._wrong(id_, "relatesTo", text)
                continue
            targets.setdefault(target, set()).add(kind)
        both = {AssociationType.REPLACES, AssociationType.TRANSFORMS}
        for target, kinds in targets.items():
            if both <= kinds:
                kinds = (kinds - both) | {AssociationType.TRANSFORMS_AND_REPLACES}
            for kind in sorted(kinds):
                self._associate(kind, id_, target)

    def _associate(
        self, kind: AssociationType, source: str, target: str, member: MemberKind | None = None
    ) -> None:
        id_ = f"Association{len(self._associations) + 1}"
        self._associations.append(
            Association(entry_uuid=id_, type=kind, source=source, target=target, member_kind=member)
        )

    def _members(self, set_id: str, resource: Resource, here: set[str]) -> None:
        listed = self._items(set_id, resource)
        for id_ in (*here, *(one for one in listed if one not in here)):
            member = MemberKind.ORIGINAL if id_ in here else MemberKind.REFERENCE
            self._associate(AssociationType.HAS_MEMBER, set_id, id_, member)

    def _items(self, id_: str, resource: Resource) -> list[str]:
        found = []
        for one in resource.get("entry") or ():
            target = self.entries.object_id(one.get("item"))
            if target is None:
                self._wrong(id_, "entry.item", "it is nothing of this bundle, and no DocumentReference/<id>")
            else:
                found.append(target)
        return found

    def _set(self, id_: str, resource: Resource) -> SubmissionSet:
        look = self.entries.look(resource)
        author = read_author(resource.get("source"), look) if resource.get("source") else None
        source = (self.entries.extension(resource, terms.SOURCE_ID) or {}).get("valueIdentifier") or {}
        designation = (self.entries.extension(resource, terms.DESIGNATION) or {}).get("valueCodeableConcept")
        return SubmissionSet(
            **self._common(id_, resource, resource.get("identifier") or ()),
            title=resource.get("title"),
            comments=_note(resource),
            source_id=str(source.get("value") or "").removeprefix(terms.URN_OID),
            submission_time=dtm_of(resource.get("date")) or dtm(self._now),
            content_type_code=code_of(designation) or NO_CODE,
            authors=(author,) if author else (),
        )

    def _folder(self, id_: str, resource: Resource) -> Folder:
        for member in self._items(id_, resource):
            self._associate(AssociationType.HAS_MEMBER, id_, member)
        designations = self.entries.extensions(resource, terms.DESIGNATION)
        return Folder(
            **self._common(id_, resource, resource.get("identifier") or ()),
            title=resource.get("title"),
            comments=_note(resource),
            codes=codes_of([one.get("valueCodeableConcept") for one in designations]),
        )

    def _wrong(self, id_: str, element: str, text: str) -> None:
        self._problems.add(f"Bundle.entry[{self.entries.places[id_]}].resource.{element}", text)


def _oid(value: str | None) -> str | None:
    """Return a uniqueId as OID: a UUID as the number below 2.25 that it is (ITU-T X.667)."""
    if value is None or not value.startswith("urn:uuid:"):
        return value
    digits = value.removeprefix("urn:uuid:").replace("-", "")
    try:
        return f"2.25.{int(digits, 16)}"
    except ValueError:
        return value


def _note(resource: Resource) -> str | None:
    for one in resource.get("note") or ():
        return str(one.get("text"))
    return None


def _source_id(patient: Resource | None) -> PatientId | None:
    for one in (patient or {}).get("identifier") or ():
        if one.get("value") and str(one.get("system", "")).startswith(terms.URN_OID):
            return PatientId(str(one["value"]), scheme_of(one["system"]))
    return None


def _source_info(patient: Resource | None) -> tuple[str, ...]:
    if not patient:
        return ()
    sex = {"male": "M", "female": "F", "other": "O"}.get(str(patient.get("gender")))
    born = dtm_of(patient.get("birthDate"))
    name = xcn(patient).partition("^")[2].removesuffix("^") if patient.get("name") else ""
    fields = {"PID-5": name, "PID-7": born, "PID-8": sex}
    return tuple(f"{field}|{value}" for field, value in fields.items() if value)


def _references(related: Any) -> tuple[str, ...]:
    found = []
    for one in related or ():
        identifier = one.get("identifier") or {}
        system = str(identifier.get("system", ""))
        if identifier.get("value"):
            kind = (identifier.get("type") or {}).get("text") or "urn:ihe:iti:xds:2013:uniqueId"
            domain = f"&{system.removeprefix(terms.URN_OID)}&ISO" if system.startswith(terms.URN_OID) else ""
            found.append(f"{identifier['value']}^^^{domain}^{kind}")
    return tuple(found)
