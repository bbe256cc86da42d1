"""The metadata of shared documents (IHE ITI TF-3 §4.2): plain, frozen, and as submitted.

An attribute that may be absent is None or (). Texts are kept as they were sent: HL7 v2 data types (CX, XCN,
XON, XTN) as their strings, read by `consortium.documents.hl7types`. Object ids are `urn:uuid:…` once
registered; in a submission they may be symbolic.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

URN_UUID = "urn:uuid:"


class Availability(enum.StrEnum):
    """availabilityStatus; the value is the ebRIM status."""

    APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
    DEPRECATED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"


class ObjectType(enum.StrEnum):
    """What kind of DocumentEntry: fixed content, or made when it is asked for."""

    STABLE = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
    ON_DEMAND = "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"


class AssociationType(enum.StrEnum):
    """How two objects are related; the value is the one on the wire."""

    HAS_MEMBER = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
    REPLACES = "urn:ihe:iti:2007:AssociationType:RPLC"
    APPENDS = "urn:ihe:iti:2007:AssociationType:APND"
    TRANSFORMS = "urn:ihe:iti:2007:AssociationType:XFRM"
    TRANSFORMS_AND_REPLACES = "urn:ihe:iti:2007:AssociationType:XFRM_RPLC"
    SIGNS = "urn:ihe:iti:2007:AssociationType:signs"
    IS_SNAPSHOT_OF = "urn:ihe:iti:2010:AssociationType:IsSnapshotOf"

    @property
    def replaces(self) -> bool:
        """Whether the target is deprecated by it."""
        return self in (AssociationType.REPLACES, AssociationType.TRANSFORMS_AND_REPLACES)


REPLACING = [each.value for each in AssociationType if each.replaces]
"""The types whose target is deprecated, as they are stored."""


class MemberKind(enum.StrEnum):
    """SubmissionSetStatus of a membership: submitted with the set, or only named by it."""

    ORIGINAL = "Original"
    REFERENCE = "Reference"


@dataclass(frozen=True, slots=True)
class Code:
    """A coded value."""

    code: str
    scheme: str
    """Coding scheme, an OID or a name, as the affinity domain writes it."""
    display: str | None = None


@dataclass(frozen=True, slots=True)
class PatientId:
    """A patient identifier (CX): the number and its assigning authority."""

    number: str
    authority: str
    """OID of the identifier domain, such as 1.2.156.10011.99.0."""

    def __str__(self) -> str:
        return f"{self.number}^^^&{self.authority}&ISO"


@dataclass(frozen=True, slots=True)
class Author:
    """Who made it. Each text is as submitted: person XCN, institution XON, telecommunication XTN."""

    person: str | None = None
    institutions: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    specialties: tuple[str, ...] = ()
    telecommunications: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """An attribute that the profile does not name, kept and given back."""

    name: str
    values: tuple[str, ...]
    slot_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryObject:
    """What documents, folders and submission sets have in common."""

    entry_uuid: str
    """`urn:uuid:…`; in a submission also a symbolic id."""
    unique_id: str
    patient_id: PatientId
    availability: Availability = Availability.APPROVED
    title: str | None = None
    comments: str | None = None
    home_community_id: str | None = None
    limited_metadata: bool = False
    slots: tuple[Slot, ...] = ()
    """What no attribute of the profile is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentEntry(RegistryObject):
    """One document (ITI TF-3 §4.2.3.2). Times are DTM: YYYY[MM[DD[hh[mm[ss]]]]] in UTC."""

    mime_type: str
    class_code: Code
    type_code: Code
    format_code: Code
    facility_type_code: Code
    practice_setting_code: Code
    confidentiality_codes: tuple[Code, ...]
    event_codes: tuple[Code, ...] = ()
    authors: tuple[Author, ...] = ()
    creation_time: str | None = None
    service_start_time: str | None = None
    service_stop_time: str | None = None
    language_code: str | None = None
    legal_authenticator: str | None = None
    """XCN."""
    hash: str | None = None
    """SHA-1, hexadecimal."""
    size: int | None = None
    """Bytes."""
    repository_unique_id: str | None = None
    uri: str | None = None
    source_patient_id: PatientId | None = None
    source_patient_info: tuple[str, ...] = ()
    """PID segments' fields: `PID-3|…`, `PID-5|…`."""
    reference_ids: tuple[str, ...] = ()
    """CXi strings: accession numbers, orders, encounters, …"""
    object_type: ObjectType = ObjectType.STABLE
    document_availability: str | None = None
    logical_id: str | None = None
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionSet(RegistryObject):
    """What was submitted together (§4.2.3.3)."""

    source_id: str
    """OID of the document source."""
    submission_time: str
    """DTM, UTC."""
    content_type_code: Code
    authors: tuple[Author, ...] = ()
    intended_recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder(RegistryObject):
    """A collection that later submissions may add to (§4.2.3.4)."""

    codes: tuple[Code, ...] = ()
    last_update_time: str | None = None
    """DTM, UTC; the registry's own: what a submission says is not looked at."""
    logical_id: str | None = None
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """A relation between two objects (§4.2.2)."""

    entry_uuid: str
    type: AssociationType
    source: str
    """Id of the source object; of a membership, the set or folder."""
    target: str
    member_kind: MemberKind | None = None
    """Of what a submission set holds; None elsewhere."""
    documentation: Code | None = None
    """associationDocumentation."""
    availability: Availability = Availability.APPROVED
    previous_version: str | None = None
    home_community_id: str | None = None
    slots: tuple[Slot, ...] = ()


AnyObject = RegistryObject | Association


@dataclass(frozen=True, slots=True)
class Submission:
    """What a source asks to be registered, all or nothing."""

    submission_set: SubmissionSet
    documents: tuple[DocumentEntry, ...] = ()
    folders: tuple[Folder, ...] = ()
    associations: tuple[Association, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What a stored query finds."""

    documents: tuple[DocumentEntry, ...] = ()
    submission_sets: tuple[SubmissionSet, ...] = ()
    folders: tuple[Folder, ...] = ()
    associations: tuple[Association, ...] = ()
    persons: frozenset[UUID] = field(default_factory=frozenset)
    """The golden people whom the answer is about: for access and audit."""

    def ids(self) -> tuple[str, ...]:
        """Return the id of each object: what an ObjectRef answer holds."""
        objects: list[AnyObject] = [*self.documents, *self.submission_sets, *self.folders, *self.associations]
        return tuple(each.entry_uuid for each in objects)


def dtm(at: datetime) -> str:
    """Write an instant as the profile does: in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y%m%d%H%M%S")
