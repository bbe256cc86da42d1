"""Metadata as FHIR resources: what MHD's searches and reads give (ITI-66, ITI-67)."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bus.fhir.documents import terms
from bus.fhir.documents.people import Contained, authors, practitioner
from bus.fhir.documents.terms import DESIGNATION, LIST_TYPES, MHD, RECIPIENT, SOURCE_ID, concept, shown_time
from bus.fhir.shapes import Resource, without_empty
from consortium.documents.model import (
    URN_UUID,
    Association,
    AssociationType,
    Availability,
    DocumentEntry,
    Folder,
    PatientId,
    SubmissionSet,
)

RELATIONS = {
    AssociationType.REPLACES: ("replaces",),
    AssociationType.APPENDS: ("appends",),
    AssociationType.TRANSFORMS: ("transforms",),
    AssociationType.TRANSFORMS_AND_REPLACES: ("transforms", "replaces"),
    AssociationType.SIGNS: ("signs",),
}


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are found."""

    base: str
    """Address of MHD's face, without a slash at the end."""
    fhir: str
    """Address of the FHIR face, which has the patients."""

    def patient(self, patient: PatientId) -> Resource:
        """Refer to the patient by place and by consortium id."""
        system = f"{terms.URN_OID}{patient.authority}"
        return {
            "reference": f"{self.fhir}/Patient/{patient.number}",
            "type": "Patient",
            "identifier": {"system": system, "value": patient.number},
        }


def logical_id(entry_uuid: str) -> str:
    """Return the logical id of a registry object."""
    return entry_uuid.removeprefix(URN_UUID)


def document_reference(
    entry: DocumentEntry, places: Places, associations: Sequence[Association] = ()
) -> Resource:
    """Show a DocumentEntry (MHD 4.2, Appendix Z.5)."""
    contained = Contained()
    who = authors(entry.authors, contained)
    authenticator = (
        contained.add(practitioner(entry.legal_authenticator)) if entry.legal_authenticator else None
    )
    context = _context(entry, contained)
    current = entry.availability is Availability.APPROVED
    return without_empty(
        {
            "resourceType": "DocumentReference",
            "id": logical_id(entry.entry_uuid),
            "meta": {"profile": [f"{MHD}IHE.MHD.Comprehensive.DocumentReference"]},
            "contained": contained.resources,
            "masterIdentifier": terms.unique_id(entry.unique_id),
            "identifier": [terms.entry_uuid(entry.entry_uuid)],
            "status": "current" if current else "superseded",
            "type": concept(entry.type_code),
            "category": [concept(entry.class_code)],
            "subject": places.patient(entry.patient_id),
            "date": _instant(entry.creation_time),
            "author": who,
            "authenticator": authenticator,
            "relatesTo": _relations(entry, associations),
            "description": entry.comments,
            "securityLabel": [concept(code) for code in entry.confidentiality_codes],
            "content": [
                {"attachment": _attachment(entry, places), "format": terms.coding(entry.format_code)}
            ],
            "context": context,
        }
    )


def _attachment(entry: DocumentEntry, places: Places) -> Resource:
    return without_empty(
        {
            "contentType": entry.mime_type,
            "language": entry.language_code,
            "url": f"{places.base}/Binary/{logical_id(entry.entry_uuid)}",
            "size": entry.size,
            "hash": base64.b64encode(bytes.fromhex(entry.hash)).decode() if entry.hash else None,
            "title": entry.title,
            "creation": shown_time(entry.creation_time),
        }
    )


def _context(entry: DocumentEntry, contained: Contained) -> Resource:
    period = {"start": shown_time(entry.service_start_time), "end": shown_time(entry.service_stop_time)}
    source = None
    if entry.source_patient_id is not None:
        number = entry.source_patient_id
        identifier = {"system": f"{terms.URN_OID}{number.authority}", "value": number.number}
        source = contained.add({"resourceType": "Patient", "identifier": [identifier]})
    return without_empty(
        {
            "event": [concept(code) for code in entry.event_codes],
            "period": without_empty(period),
            "facilityType": concept(entry.facility_type_code),
            "practiceSetting": concept(entry.practice_setting_code),
            "sourcePatientInfo": source,
            "related": [_related(one) for one in entry.reference_ids],
        }
    )


def _related(cxi: str) -> Resource:
    parts = cxi.split("^")
    domain = parts[3].split("&") if len(parts) > 3 else []
    system = f"{terms.URN_OID}{domain[1]}" if len(domain) > 1 and domain[1] else None
    kind = {"text": parts[4]} if len(parts) > 4 and parts[4] else None
    return {"identifier": without_empty({"type": kind, "system": system, "value": parts[0]})}


def _relations(entry: DocumentEntry, associations: Sequence[Association]) -> list[Resource]:
    return [
        {"code": code, "target": {"reference": f"DocumentReference/{logical_id(one.target)}"}}
        for one in associations
        if one.source == entry.entry_uuid
        for code in RELATIONS.get(one.type, ())
    ]


def submission_set(
    shown: SubmissionSet, places: Places, members: Sequence[str], kinds: Mapping[str, str]
) -> Resource:
    """Show a SubmissionSet as List; `members` are ids of objects, `kinds` says which of them are folders."""
    contained = Contained()
    who = authors(shown.authors[:1], contained)
    extensions: list[Resource] = [
        {"url": DESIGNATION, "valueCodeableConcept": concept(shown.content_type_code)},
        {"url": SOURCE_ID, "valueIdentifier": {"value": f"{terms.URN_OID}{shown.source_id}"}},
    ]
    extensions += [
        {
            "url": RECIPIENT,
            "valueReference": {"display": " ".join(filter(None, one.replace("|", "^").split("^")))},
        }
        for one in shown.intended_recipients
    ]
    profile = "IHE.MHD.Comprehensive.SubmissionSet"
    made = _list(shown, places, members, kinds, "submissionset", profile)
    more = {
        "contained": contained.resources,
        "extension": extensions,
        "date": shown_time(shown.submission_time),
        "source": who[0] if who else None,
    }
    return without_empty(made | more)


def folder(shown: Folder, places: Places, members: Sequence[str], kinds: Mapping[str, str]) -> Resource:
    """Show a Folder as List."""
    extensions = [{"url": DESIGNATION, "valueCodeableConcept": concept(code)} for code in shown.codes]
    made = _list(shown, places, members, kinds, "folder", "IHE.MHD.Comprehensive.Folder")
    return without_empty(made | {"extension": extensions, "date": shown_time(shown.last_update_time)})


def _list(
    shown: SubmissionSet | Folder,
    places: Places,
    members: Sequence[str],
    kinds: Mapping[str, str],
    code: str,
    profile: str,
) -> Resource:
    current = shown.availability is Availability.APPROVED
    return without_empty(
        {
            "resourceType": "List",
            "id": logical_id(shown.entry_uuid),
            "meta": {"profile": [f"{MHD}{profile}"]},
            "identifier": [terms.unique_id(shown.unique_id), terms.entry_uuid(shown.entry_uuid)],
            "status": "current" if current else "retired",
            "mode": "working",
            "title": shown.title,
            "code": {"coding": [{"system": LIST_TYPES, "code": code}]},
            "subject": places.patient(shown.patient_id),
            "note": [{"text": shown.comments}] if shown.comments else None,
            "entry": [
                {"item": {"reference": f"{kinds.get(id_, 'DocumentReference')}/{logical_id(id_)}"}}
                for id_ in members
            ],
        }
    )


def _instant(dtm: str | None) -> str | None:
    """DocumentReference.date is an instant; a day alone is none."""
    return shown_time(dtm) if dtm and len(dtm) > len("YYYYMMDD") else None
