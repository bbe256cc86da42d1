"""The decision table: every line allows something, and what no line allows is denied."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace

from consortium.access.model import (
    SHARED,
    Action,
    Decision,
    Permission,
    Purpose,
    Relation,
    Resource,
    Role,
    User,
    relation,
)

EVERYONE = frozenset(Role)
ANYWHERE = frozenset(Relation)
CLINICIANS = frozenset({Role.DOCTOR, Role.COORDINATOR})
STAFF = EVERYONE - {Role.PATIENT}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: these roles may do these actions in these relations for these purposes."""

    roles: frozenset[Role]
    actions: frozenset[Action]
    relations: frozenset[Relation]
    purposes: frozenset[Purpose]
    why: str
    permission: Permission | None = None
    """What the user must have been given by name besides."""


TABLE = (
    Line(
        EVERYONE,
        frozenset({Action.ME_READ, Action.CAPABILITIES_READ}),
        ANYWHERE,
        frozenset(Purpose),
        "everyone who signed in may know who they are and what this server can do",
    ),
    Line(
        CLINICIANS,
        frozenset({Action.PATIENT_READ, Action.PATIENT_QUERY, Action.RECORD_READ, Action.DOCUMENT_READ}),
        frozenset({Relation.CAMPUS, Relation.OTHER, Relation.SHARED}),
        frozenset({Purpose.TREATMENT}),
        "clinicians of any campus read the shared record to treat",
    ),
    Line(
        CLINICIANS,
        frozenset({Action.VIP_FIND}),
        frozenset({Relation.SHARED}),
        frozenset({Purpose.TREATMENT}),
        "who was given the permission by name finds VIPs by what describes them",
        permission=Permission.VIP,
    ),
    Line(
        frozenset({Role.PATIENT}),
        frozenset({Action.PATIENT_READ, Action.PATIENT_QUERY, Action.RECORD_READ, Action.DOCUMENT_READ}),
        frozenset({Relation.SELF}),
        frozenset({Purpose.OWN}),
        "patients read their own record",
    ),
    Line(
        CLINICIANS,
        frozenset({Action.CRITICAL_VALUE_READ}),
        frozenset({Relation.CAMPUS}),
        frozenset({Purpose.TREATMENT}),
        "clinicians see the critical values of their campus",
    ),
    Line(
        CLINICIANS,
        frozenset({Action.VIDEO_JOIN, Action.VIDEO_MANAGE}),
        frozenset({Relation.CAMPUS, Relation.OTHER}),
        frozenset({Purpose.TREATMENT}),
        "clinicians enter the consultations that they are booked for, and look after their rooms",
    ),
    Line(
        frozenset({Role.PATIENT}),
        frozenset({Action.VIDEO_JOIN}),
        frozenset({Relation.SELF}),
        frozenset({Purpose.OWN}),
        "patients enter their own consultations",
    ),
    Line(
        frozenset({Role.DOCTOR}),
        frozenset({Action.CRITICAL_VALUE_ACKNOWLEDGE}),
        frozenset({Relation.CAMPUS}),
        frozenset({Purpose.TREATMENT}),
        "doctors acknowledge the critical values of their campus",
    ),
    Line(
        CLINICIANS,
        frozenset({Action.CALENDAR_READ}),
        frozenset({Relation.CAMPUS, Relation.GROUP, Relation.OTHER, Relation.SHARED}),
        frozenset({Purpose.TREATMENT}),
        "clinicians see which times every campus offers",
    ),
    Line(
        CLINICIANS,
        frozenset({Action.ABSENCE_RECORD}),
        frozenset({Relation.CAMPUS}),
        frozenset({Purpose.TREATMENT}),
        "clinicians say when they are away from their campus",
    ),
    Line(
        frozenset({Role.COORDINATOR}),
        frozenset({Action.CALENDAR_HOLD}),
        frozenset({Relation.CAMPUS, Relation.GROUP, Relation.OTHER}),
        frozenset({Purpose.TREATMENT}),
        "coordinators hold times of every campus for a while",
    ),
    Line(
        frozenset({Role.COORDINATOR}),
        frozenset({Action.CALENDAR_CONFIRM, Action.CALENDAR_MANAGE}),
        frozenset({Relation.CAMPUS}),
        frozenset({Purpose.TREATMENT}),
        "coordinators offer the times of their campus and confirm who has them",
    ),
    Line(
        CLINICIANS,
        frozenset({Action.REFERRAL_READ, Action.REFERRAL_WRITE, Action.REFERRAL_STEP}),
        frozenset({Relation.CAMPUS}),
        frozenset({Purpose.TREATMENT}),
        "clinicians of the hospitals that send or receive a referral work on it",
    ),
    Line(
        frozenset({Role.PATIENT}),
        frozenset({Action.REFERRAL_READ, Action.REFERRAL_STEP}),
        frozenset({Relation.SELF}),
        frozenset({Purpose.OWN}),
        "patients follow their own referral, and confirm or decline its time",
    ),
    Line(
        CLINICIANS,
        frozenset({Action.CONSULTATION_READ, Action.CONSULTATION_WRITE, Action.CONSULTATION_STEP}),
        frozenset({Relation.CAMPUS}),
        frozenset({Purpose.TREATMENT}),
        "clinicians of the hospitals that request or give a consultation, and its experts, work on it",
    ),
    Line(
        frozenset({Role.PATIENT}),
        frozenset({Action.CONSULTATION_READ, Action.CONSULTATION_STEP}),
        frozenset({Relation.SELF}),
        frozenset({Purpose.OWN}),
        "patients follow their own consultation, refuse its time, cancel and rate it",
    ),
    Line(
        frozenset({Role.COORDINATOR, Role.MANAGER}),
        frozenset({Action.REFERRAL_FIGURES_READ}),
        frozenset({Relation.CAMPUS, Relation.GROUP}),
        frozenset({Purpose.TREATMENT, Purpose.OPERATIONS}),
        "coordinators and managers see how the referrals of their hospital, or of all, fare",
    ),
    Line(
        frozenset({Role.ENGINEER, Role.OPS, Role.ADMIN}),
        frozenset({Action.MESSAGE_READ}),
        frozenset({Relation.CAMPUS, Relation.GROUP, Relation.SHARED}),
        frozenset({Purpose.OPERATIONS}),
        "those who keep the bus running see where messages are",
    ),
    Line(
        frozenset({Role.ENGINEER, Role.OPS}),
        frozenset({Action.MESSAGE_REPLAY}),
        frozenset({Relation.CAMPUS, Relation.GROUP}),
        frozenset({Purpose.OPERATIONS}),
        "engineers and ops release held messages",
    ),
    Line(
        frozenset({Role.ENGINEER, Role.OPS}),
        frozenset({Action.RULES_READ}),
        frozenset({Relation.SHARED}),
        frozenset({Purpose.OPERATIONS}),
        "those who keep the bus running see its rules",
    ),
    Line(
        frozenset({Role.ENGINEER}),
        frozenset({Action.RULES_DEPLOY, Action.RULES_BACKTEST}),
        frozenset({Relation.CAMPUS}),
        frozenset({Purpose.OPERATIONS}),
        "engineers change the rules of the organisation they work for: those of all campuses are the group's",
    ),
    Line(
        frozenset({Role.ENGINEER, Role.OPS}),
        frozenset({Action.MESSAGE_BODY_READ}),
        frozenset({Relation.CAMPUS, Relation.GROUP, Relation.SHARED}),
        frozenset({Purpose.OPERATIONS}),
        "who was given the permission by name reads a message's bytes to mend it",
        permission=Permission.MESSAGE_BODY,
    ),
    Line(
        frozenset({Role.ENGINEER, Role.OPS, Role.ADMIN}),
        frozenset({Action.DESTINATION_READ}),
        frozenset({Relation.CAMPUS, Relation.GROUP}),
        frozenset({Purpose.OPERATIONS}),
        "those who keep the bus running see how the destinations of their campus stand",
    ),
    Line(
        frozenset({Role.ENGINEER, Role.OPS}),
        frozenset({Action.DESTINATION_MANAGE, Action.DELIVERY_DECIDE, Action.DELIVERY_AGAIN}),
        frozenset({Relation.CAMPUS, Relation.GROUP}),
        frozenset({Purpose.OPERATIONS}),
        "engineers and ops pause destinations of their campus and decide about what did not reach them",
    ),
    Line(
        STAFF - {Role.SYSTEM},
        frozenset({Action.NOTIFICATION_READ}),
        frozenset({Relation.CAMPUS}),
        frozenset({Purpose.TREATMENT, Purpose.OPERATIONS, Purpose.ADMINISTRATION}),
        "staff read what is for them",
    ),
    Line(
        frozenset({Role.PATIENT}),
        frozenset({Action.NOTIFICATION_READ}),
        frozenset({Relation.SELF}),
        frozenset({Purpose.OWN}),
        "patients read what is for them",
    ),
    Line(
        frozenset({Role.ADMIN}),
        frozenset({Action.CONTACT_WRITE}),
        frozenset({Relation.CAMPUS, Relation.GROUP}),
        frozenset({Purpose.ADMINISTRATION}),
        "administrators keep how the staff of their campus are reached, and who has which duty",
    ),
    Line(
        frozenset({Role.ENGINEER, Role.OPS, Role.ADMIN}),
        frozenset({Action.DISPATCH_READ}),
        frozenset({Relation.CAMPUS, Relation.GROUP}),
        frozenset({Purpose.OPERATIONS}),
        "those who keep the bus running see which notifications of their campus did not reach people",
    ),
    Line(
        frozenset({Role.ENGINEER, Role.OPS}),
        frozenset({Action.DISPATCH_DECIDE}),
        frozenset({Relation.CAMPUS, Relation.GROUP}),
        frozenset({Purpose.OPERATIONS}),
        "engineers and ops decide about notifications of their campus that wait for a person",
    ),
    Line(
        STAFF,
        frozenset({Action.MASTER_DATA_READ}),
        frozenset({Relation.CAMPUS, Relation.GROUP, Relation.OTHER, Relation.SHARED}),
        frozenset({Purpose.TREATMENT, Purpose.OPERATIONS, Purpose.ADMINISTRATION}),
        "staff and campuses' programs read master data and code maps",
    ),
    Line(
        frozenset({Role.ENGINEER, Role.ADMIN}),
        frozenset({Action.MASTER_DATA_WRITE}),
        frozenset({Relation.CAMPUS, Relation.GROUP}),
        frozenset({Purpose.OPERATIONS, Purpose.ADMINISTRATION}),
        "engineers and administrators import the master data of their campus, or of all",
    ),
    Line(
        frozenset({Role.ENGINEER, Role.OPS, Role.ADMIN}),
        frozenset({Action.CODE_MAP_READ}),
        frozenset({Relation.CAMPUS, Relation.GROUP, Relation.SHARED}),
        frozenset({Purpose.OPERATIONS}),
        "those who keep the bus running see which codes no table knows",
    ),
    Line(
        frozenset({Role.ENGINEER}),
        frozenset({Action.CODE_MAP_WRITE}),
        frozenset({Relation.CAMPUS, Relation.GROUP}),
        frozenset({Purpose.OPERATIONS}),
        "engineers say what the codes of their campus mean",
    ),
    Line(
        frozenset({Role.ENGINEER, Role.OPS}),
        frozenset({Action.MESSAGE_EDIT}),
        frozenset({Relation.CAMPUS, Relation.GROUP}),
        frozenset({Purpose.OPERATIONS}),
        "who may read a message's bytes sends corrected ones in its place",
        permission=Permission.MESSAGE_BODY,
    ),
    Line(
        frozenset({Role.ENGINEER, Role.OPS, Role.ADMIN}),
        frozenset({Action.METRICS_READ, Action.ALERT_READ}),
        frozenset({Relation.SHARED}),
        frozenset({Purpose.OPERATIONS}),
        "those who keep the bus running see its numbers and alerts",
    ),
    Line(
        frozenset({Role.ENGINEER, Role.OPS}),
        frozenset({Action.ALERT_ACKNOWLEDGE}),
        frozenset({Relation.SHARED}),
        frozenset({Purpose.OPERATIONS}),
        "engineers and ops take note of alerts",
    ),
    Line(
        frozenset({Role.COORDINATOR}),
        frozenset({Action.IDENTITY_READ, Action.IDENTITY_DECIDE, Action.IDENTITY_FIGURES_READ}),
        frozenset({Relation.CAMPUS}),
        frozenset({Purpose.TREATMENT, Purpose.OPERATIONS}),
        "coordinators decide who is who among the patients of their campus",
    ),
    Line(
        frozenset({Role.ADMIN}),
        frozenset({Action.IDENTITY_READ, Action.IDENTITY_DECIDE}),
        frozenset({Relation.CAMPUS, Relation.GROUP}),
        frozenset({Purpose.ADMINISTRATION, Purpose.OPERATIONS}),
        "administrators decide who is who at every campus of theirs",
    ),
    Line(
        frozenset({Role.ADMIN, Role.ENGINEER, Role.OPS, Role.MANAGER}),
        frozenset({Action.IDENTITY_FIGURES_READ}),
        frozenset({Relation.CAMPUS, Relation.GROUP, Relation.SHARED}),
        frozenset({Purpose.ADMINISTRATION, Purpose.OPERATIONS}),
        "those who run the consortium see how well its people are told apart",
    ),
    Line(
        frozenset({Role.ENGINEER, Role.OPS, Role.ADMIN}),
        frozenset({Action.WORKFLOW_READ}),
        frozenset({Relation.CAMPUS, Relation.GROUP, Relation.SHARED}),
        frozenset({Purpose.OPERATIONS}),
        "those who keep the bus running see where workflows stand",
    ),
    Line(
        frozenset({Role.ENGINEER, Role.OPS}),
        frozenset({Action.WORKFLOW_PAYLOAD_READ}),
        frozenset({Relation.CAMPUS}),
        frozenset({Purpose.OPERATIONS}),
        "who was given the permission by name, and works for all campuses, reads what workflows carry",
        permission=Permission.WORKFLOW_PAYLOAD,
    ),
    Line(
        frozenset({Role.ENGINEER}),
        frozenset({Action.WORKFLOW_PAYLOAD_WRITE}),
        frozenset({Relation.CAMPUS}),
        frozenset({Purpose.OPERATIONS}),
        "engineers who were given the permission by name, and work for all campuses, write to workflows",
        permission=Permission.WORKFLOW_PAYLOAD_WRITE,
    ),
    Line(
        frozenset({Role.ADMIN}),
        frozenset({Action.AUDIT_READ}),
        frozenset({Relation.SHARED}),
        frozenset({Purpose.AUDIT}),
        "administrators review who did what",
    ),
    Line(
        frozenset({Role.ADMIN, Role.MANAGER}),
        frozenset({Action.RECORD_EXPORT}),
        frozenset({Relation.CAMPUS}),
        frozenset({Purpose.ADMINISTRATION, Purpose.OPERATIONS}),
        "administrators and managers of an organisation export its records: those of all campuses are the"
        " group's",
    ),
    Line(
        frozenset({Role.DOCTOR, Role.COORDINATOR, Role.MANAGER, Role.ADMIN}),
        frozenset({Action.DOCUMENT_SEARCH}),
        frozenset({Relation.CAMPUS, Relation.GROUP}),
        frozenset({Purpose.TREATMENT, Purpose.OPERATIONS, Purpose.ADMINISTRATION}),
        "who was given the permission by name searches in the documents of their campus, or of all campuses",
        permission=Permission.DOCUMENT_SEARCH,
    ),
    Line(
        frozenset({Role.SYSTEM}),
        frozenset({Action.UPLOAD}),
        frozenset({Relation.CAMPUS}),
        frozenset({Purpose.OPERATIONS}),
        "a campus's program uploads for its own campus",
    ),
    Line(
        frozenset({Role.SYSTEM}),
        frozenset({Action.RECORD_WRITE}),
        frozenset({Relation.CAMPUS}),
        frozenset({Purpose.OPERATIONS}),
        "a campus's program writes the patients and records of its own campus",
    ),
    Line(
        frozenset({Role.SYSTEM}),
        frozenset({Action.DOCUMENT_SUBMIT}),
        frozenset({Relation.CAMPUS}),
        frozenset({Purpose.OPERATIONS, Purpose.TREATMENT}),
        "a campus's program shares the documents of its own campus",
    ),
    Line(
        frozenset({Role.SYSTEM}),
        frozenset({Action.DOCUMENT_READ}),
        frozenset({Relation.CAMPUS, Relation.OTHER, Relation.SHARED}),
        frozenset({Purpose.TREATMENT}),
        "a campus's program that was given the permission by name reads shared documents for those who treat",
        permission=Permission.SHARED_DOCUMENTS,
    ),
    Line(
        frozenset({Role.SYSTEM}),
        frozenset({Action.PATIENT_QUERY}),
        frozenset({Relation.CAMPUS, Relation.SHARED}),
        frozenset({Purpose.TREATMENT, Purpose.OPERATIONS}),
        "a campus's program that was given the permission by name asks who a patient is elsewhere",
        permission=Permission.PATIENT_QUERY,
    ),
)


def decide(user: User, action: Action, resource: Resource, purpose: Purpose) -> Decision:
    """Decide by the table. Pure: the same question has the same answer."""
    standing = relation(user, resource)
    lines = [line for line in TABLE if action in line.actions and user.role in line.roles]
    for line in lines:
        if standing in line.relations and purpose in line.purposes and _permitted(user, line):
            return Decision(True, line.why)
    return Decision(False, next(_shortcomings(user, action, standing, purpose, lines)))


def conceivable(user: User, action: Action, purpose: Purpose) -> Decision:
    """Decide whether some resource could be allowed: what a route asks before it knows which one is meant."""
    lines = [line for line in TABLE if action in line.actions and user.role in line.roles]
    fitting = [line for line in lines if purpose in line.purposes and _permitted(user, line)]
    if fitting:
        return Decision(True, fitting[0].why)
    everywhere = [replace(line, relations=ANYWHERE) for line in lines]
    return Decision(False, next(_shortcomings(user, action, Relation.SHARED, purpose, everywhere)))


def _permitted(user: User, line: Line) -> bool:
    return line.permission is None or line.permission in user.permissions


def _shortcomings(
    user: User, action: Action, standing: Relation, purpose: Purpose, lines: list[Line]
) -> Iterator[str]:
    """What is missing, the broadest first."""
    if not lines:
        yield f"the role {user.role.value} may not do {action.value}"
    lines = [line for line in lines if purpose in line.purposes]
    if not lines:
        yield f"the role {user.role.value} may not do {action.value} for the purpose {purpose.value}"
    lines = [line for line in lines if standing in line.relations]
    if not lines:
        yield f"{user.organisation} has no right to {action.value} here (relation: {standing.value})"
    yield f"{action.value} needs a permission given by name, which {user.username} does not have"


class Reach(enum.Enum):
    """How far a search over persons may go."""

    ALL = "all"
    OWN = "own"
    NONE = "none"


def reach(user: User, action: Action, purpose: Purpose) -> tuple[Reach, Decision]:
    """Tell how far a search over persons may go: over all, over the user alone, or not at all."""
    decision = decide(user, action, SHARED, purpose)
    if decision.allow:
        return Reach.ALL, decision
    if user.person_id is not None:
        own = decide(user, action, Resource(person_id=user.person_id), purpose)
        if own.allow:
            return Reach.OWN, own
    return Reach.NONE, decision
