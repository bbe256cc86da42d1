"""The words of access: people and programs, what they do, where they stand to a record, and why they ask."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from uuid import UUID

GROUP = "GROUP"
"""Organisation of those who work for the whole consortium; every other organisation is a campus code."""


class Role(enum.StrEnum):
    """What a user is in the consortium. One user has one role."""

    ADMIN = "admin"
    ENGINEER = "engineer"
    OPS = "ops"
    COORDINATOR = "coordinator"
    DOCTOR = "doctor"
    MANAGER = "manager"
    PATIENT = "patient"
    SYSTEM = "system"
    """A campus's program that uploads for its own campus."""


class Action(enum.StrEnum):
    """What can be asked of the platform."""

    ME_READ = "me.read"
    CAPABILITIES_READ = "capabilities.read"
    MESSAGE_READ = "message.read"
    """A message's journey: routing columns, steps, reasons. No body."""
    MESSAGE_BODY_READ = "message-body.read"
    """The bytes as they arrived, which name the patient."""
    MESSAGE_REPLAY = "message.replay"
    MESSAGE_EDIT = "message.edit"
    """Sending a corrected body in place of a message."""
    METRICS_READ = "metrics.read"
    ALERT_READ = "alert.read"
    ALERT_ACKNOWLEDGE = "alert.acknowledge"
    NOTIFICATION_READ = "notification.read"
    """What is for the user, and how they want to be told."""
    DISPATCH_READ = "dispatch.read"
    """What became of notifications by SMS, e-mail, template message: no address, no text."""
    DISPATCH_DECIDE = "dispatch.decide"
    """Resending or discarding what is parked or ambiguous of them."""
    CONTACT_WRITE = "contact.write"
    """How staff are reached, and who has which duty."""
    CRITICAL_VALUE_READ = "critical-value.read"
    CRITICAL_VALUE_ACKNOWLEDGE = "critical-value.acknowledge"
    CALENDAR_READ = "calendar.read"
    """Which times experts, clinics, beds and rooms offer, and which are taken: no patient."""
    CALENDAR_HOLD = "calendar.hold"
    """Holding a time for a referral or consultation; it is free again by itself."""
    CALENDAR_CONFIRM = "calendar.confirm"
    """Making what is held a booking, and giving back what others hold."""
    CALENDAR_MANAGE = "calendar.manage"
    """Registering whose time is booked, and offering times; who has which duty."""
    ABSENCE_RECORD = "absence.record"
    """Saying that one is away, and who covers; of others it is part of managing calendars."""
    REFERRAL_READ = "referral.read"
    """Referrals that one's hospital sends or receives, or that are one's own."""
    REFERRAL_WRITE = "referral.write"
    """Applying: the form, consent, what is attached, and writing to the other side."""
    REFERRAL_STEP = "referral.step"
    """Taking a step; which one, the table of referrals says (consortium/referral/table.py)."""
    REFERRAL_FIGURES_READ = "referral-figures.read"
    """How many referrals come how far, and how long it takes: no patient."""
    PATIENT_READ = "patient.read"
    PATIENT_QUERY = "patient.query"
    """Asking who somebody is and which numbers they have elsewhere: PIX and PDQ in every form."""
    VIP_FIND = "vip.find"
    """Finding VIPs by a description, such as their name."""
    RECORD_READ = "record.read"
    """Encounters, orders, reports, results, documents of a patient."""
    RECORD_EXPORT = "record.export"
    """Taking the records of many people out as files (FHIR bulk data)."""
    RECORD_WRITE = "record.write"
    """Writing patients and records of a campus over FHIR."""
    DOCUMENT_READ = "document.read"
    """Finding and retrieving shared documents (XDS, MHD)."""
    DOCUMENT_SEARCH = "document.search"
    """Full-text search in the documents of many patients."""
    DOCUMENT_SUBMIT = "document.submit"
    """Sharing documents of a campus, replacing them, putting them into folders."""
    RULES_READ = "rules.read"
    RULES_DEPLOY = "rules.deploy"
    """Making a rule set the active one, or an earlier one again."""
    RULES_BACKTEST = "rules.backtest"
    """Trying a rule set on stored messages; shows ids and fields, no values."""
    DESTINATION_READ = "destination.read"
    """How a destination stands, and its deliveries: states, times, reasons. No answers."""
    DESTINATION_MANAGE = "destination.manage"
    """Pausing, resuming, draining it."""
    DELIVERY_DECIDE = "delivery.decide"
    """Resending or discarding what is parked or ambiguous."""
    DELIVERY_AGAIN = "delivery.again"
    """Sending again what was delivered: the receiver does it a second time."""
    MASTER_DATA_READ = "master-data.read"
    """Departments, staff, items, codes and what they mean: no patient."""
    MASTER_DATA_WRITE = "master-data.write"
    CODE_MAP_READ = "code-map.read"
    """The worklist of codes that no table knows."""
    CODE_MAP_WRITE = "code-map.write"
    """Say what a campus's code means, which lets go on what waited for it."""
    IDENTITY_READ = "identity.read"
    """The review queue, and who a person is at which campus, by whose word and decision."""
    IDENTITY_DECIDE = "identity.decide"
    """Saying that two numbers are one person, or are not, and taking that back."""
    IDENTITY_FIGURES_READ = "identity-figures.read"
    """How many duplicates there are, and how fast campuses hear of new people: no patient."""
    WORKFLOW_READ = "workflow.read"
    """Which workflows run, in which state, until when: no patient."""
    WORKFLOW_PAYLOAD_READ = "workflow-payload.read"
    """What workflows are told and tell, decrypted for the Temporal UI."""
    WORKFLOW_PAYLOAD_WRITE = "workflow-payload.write"
    """Encrypting for the Temporal UI, which workflows then take for the platform's own word."""
    CONSULTATION_READ = "consultation.read"
    """Consultations that one's hospital requests or gives, whose expert one is, or that are one's own."""
    CONSULTATION_WRITE = "consultation.write"
    """Requesting: the question, what is to be read, consent."""
    CONSULTATION_STEP = "consultation.step"
    """Taking a step; which one, the table of consultations says (consortium/teleconsult/table.py)."""
    VIDEO_JOIN = "video.join"
    """Entering the room of a consultation; who is booked for it is the room's own decision."""
    VIDEO_MANAGE = "video.manage"
    """Seeing who is there, letting in, sending out, inviting by link, ending."""
    AUDIT_READ = "audit.read"
    UPLOAD = "upload"


class Purpose(enum.StrEnum):
    """Why it is asked (purpose of use)."""

    TREATMENT = "treatment"
    OPERATIONS = "operations"
    ADMINISTRATION = "administration"
    AUDIT = "audit"
    OWN = "own"
    """A patient about themself."""


class Permission(enum.StrEnum):
    """What a role does not bring along: given to one user by name."""

    MESSAGE_BODY = "message-body"
    SHARED_DOCUMENTS = "shared-documents"
    """A campus's program finds and retrieves the shared documents of all campuses, for those who treat."""
    DOCUMENT_SEARCH = "document-search"
    """Searches in the documents of patients whom nobody named; asked for with a reason."""
    VIP = "vip"
    """Finds VIPs by their name, birth date, ID card, telephone; others need their number."""
    PATIENT_QUERY = "patient-query"
    """A campus's program asks about patients of all campuses (PIX, PDQ)."""
    WORKFLOW_PAYLOAD = "workflow-payload"
    """Sees in the Temporal UI what workflows carry, decrypted."""
    WORKFLOW_PAYLOAD_WRITE = "workflow-payload-write"
    """Starts, signals and updates workflows from the Temporal UI, past the API's own checks."""


class Relation(enum.StrEnum):
    """How the user's organisation stands to what is asked for."""

    SELF = "self"
    """It is about the user."""
    CAMPUS = "campus"
    """It belongs to the campus the user works for."""
    GROUP = "group"
    """It belongs to a campus, and the user works for the whole consortium."""
    OTHER = "other"
    """It belongs to another campus."""
    SHARED = "shared"
    """It belongs to the consortium: a golden person and the records of every campus."""


USUAL_PURPOSE = {
    Role.ADMIN: Purpose.ADMINISTRATION,
    Role.ENGINEER: Purpose.OPERATIONS,
    Role.OPS: Purpose.OPERATIONS,
    Role.COORDINATOR: Purpose.TREATMENT,
    Role.DOCTOR: Purpose.TREATMENT,
    Role.MANAGER: Purpose.OPERATIONS,
    Role.PATIENT: Purpose.OWN,
    Role.SYSTEM: Purpose.OPERATIONS,
}
"""The purpose of a request that states none."""


@dataclass(frozen=True, slots=True)
class User:
    """Someone who has signed in."""

    username: str
    display_name: str
    role: Role
    organisation: str
    """Campus code, or GROUP."""
    person_id: UUID | None = None
    """The golden person that a patient is; None for staff and programs."""
    permissions: frozenset[Permission] = frozenset()


@dataclass(frozen=True, slots=True)
class Resource:
    """What is asked for, as far as access cares."""

    organisation: str | None = None
    """Campus code of the owner; None: the consortium's."""
    person_id: UUID | None = None
    """The golden person it is about."""


SHARED = Resource()
"""What belongs to the consortium and is about nobody in particular, such as a search over all patients."""
GROUPS_OWN = Resource(organisation=GROUP)
"""What those alone may have who work for the whole consortium, such as an export of its records."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether, and why; the reason is a sentence for a person and holds no patient data."""

    allow: bool
    reason: str


def relation(user: User, resource: Resource) -> Relation:
    """Tell how a user stands to a resource."""
    if user.person_id is not None and user.person_id == resource.person_id:
        return Relation.SELF
    if resource.organisation is None:
        return Relation.SHARED
    if resource.organisation == user.organisation:
        return Relation.CAMPUS
    return Relation.GROUP if user.organisation == GROUP else Relation.OTHER
