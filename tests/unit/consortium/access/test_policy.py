"""The whole table: role by action by relation by purpose. What is not listed here is denied."""

from __future__ import annotations

import itertools
import uuid

import pytest

from consortium.access.model import (
    GROUP,
    SHARED,
    Action,
    Permission,
    Purpose,
    Relation,
    Resource,
    Role,
    User,
    relation,
)
from consortium.access.policy import Reach, decide, reach

ME = uuid.UUID(int=1)
SOMEONE_ELSE = uuid.UUID(int=2)

WHERE = {
    Relation.SELF: Resource(person_id=ME),
    Relation.CAMPUS: Resource(organisation="HP"),
    Relation.GROUP: Resource(organisation="HP"),
    Relation.OTHER: Resource(organisation="MAIN"),
    Relation.SHARED: Resource(person_id=SOMEONE_ELSE),
}

ALLOWED: dict[Action, set[tuple[str, str, str]]] = {
    Action.PATIENT_READ: {
        (role, where, "treatment")
        for role in ("doctor", "coordinator")
        for where in ("campus", "other", "shared")
    }
    | {("patient", "self", "own")},
    Action.MESSAGE_READ: {
        (role, where, "operations")
        for role in ("admin", "engineer", "ops")
        for where in ("campus", "group", "shared")
    },
    Action.MESSAGE_REPLAY: {
        (role, where, "operations") for role in ("engineer", "ops") for where in ("campus", "group")
    },
    Action.MESSAGE_BODY_READ: set(),
    Action.MESSAGE_EDIT: set(),
    Action.DOCUMENT_SEARCH: set(),
    Action.VIP_FIND: set(),
    Action.METRICS_READ: {(role, "shared", "operations") for role in ("admin", "engineer", "ops")},
    Action.ALERT_READ: {(role, "shared", "operations") for role in ("admin", "engineer", "ops")},
    Action.ALERT_ACKNOWLEDGE: {(role, "shared", "operations") for role in ("engineer", "ops")},
    Action.CRITICAL_VALUE_READ: {(role, "campus", "treatment") for role in ("doctor", "coordinator")},
    Action.CRITICAL_VALUE_ACKNOWLEDGE: {("doctor", "campus", "treatment")},
    Action.CALENDAR_READ: {
        (role, where, "treatment")
        for role in ("doctor", "coordinator")
        for where in ("campus", "group", "other", "shared")
    },
    Action.CALENDAR_HOLD: {("coordinator", where, "treatment") for where in ("campus", "group", "other")},
    Action.ABSENCE_RECORD: {(role, "campus", "treatment") for role in ("doctor", "coordinator")},
    Action.CALENDAR_CONFIRM: {("coordinator", "campus", "treatment")},
    Action.CALENDAR_MANAGE: {("coordinator", "campus", "treatment")},
    Action.NOTIFICATION_READ: {
        (role.value, "campus", purpose)
        for role in set(Role) - {Role.PATIENT, Role.SYSTEM}
        for purpose in ("treatment", "operations", "administration")
    }
    | {("patient", "self", "own")},
    Action.CONTACT_WRITE: {("admin", where, "administration") for where in ("campus", "group")},
    Action.DISPATCH_READ: {
        (role, where, "operations") for role in ("admin", "engineer", "ops") for where in ("campus", "group")
    },
    Action.DISPATCH_DECIDE: {
        (role, where, "operations") for role in ("engineer", "ops") for where in ("campus", "group")
    },
    Action.CONSULTATION_READ: {("doctor", "campus", "treatment"), ("coordinator", "campus", "treatment")}
    | {("patient", "self", "own")},
    Action.CONSULTATION_WRITE: {(role, "campus", "treatment") for role in ("doctor", "coordinator")},
    Action.CONSULTATION_STEP: {("doctor", "campus", "treatment"), ("coordinator", "campus", "treatment")}
    | {("patient", "self", "own")},
    Action.REFERRAL_READ: {("doctor", "campus", "treatment"), ("coordinator", "campus", "treatment")}
    | {("patient", "self", "own")},
    Action.REFERRAL_WRITE: {(role, "campus", "treatment") for role in ("doctor", "coordinator")},
    Action.REFERRAL_STEP: {("doctor", "campus", "treatment"), ("coordinator", "campus", "treatment")}
    | {("patient", "self", "own")},
    Action.REFERRAL_FIGURES_READ: {
        (role, where, purpose)
        for role in ("coordinator", "manager")
        for where in ("campus", "group")
        for purpose in ("treatment", "operations")
    },
    Action.VIDEO_JOIN: {
        (role, where, "treatment") for role in ("doctor", "coordinator") for where in ("campus", "other")
    }
    | {("patient", "self", "own")},
    Action.VIDEO_MANAGE: {
        (role, where, "treatment") for role in ("doctor", "coordinator") for where in ("campus", "other")
    },
    Action.RULES_READ: {(role, "shared", "operations") for role in ("engineer", "ops")},
    Action.RULES_DEPLOY: {("engineer", "campus", "operations")},
    Action.RULES_BACKTEST: {("engineer", "campus", "operations")},
    Action.DESTINATION_READ: {
        (role, where, "operations") for role in ("admin", "engineer", "ops") for where in ("campus", "group")
    },
    Action.DESTINATION_MANAGE: {
        (role, where, "operations") for role in ("engineer", "ops") for where in ("campus", "group")
    },
    Action.DELIVERY_DECIDE: {
        (role, where, "operations") for role in ("engineer", "ops") for where in ("campus", "group")
    },
    Action.DELIVERY_AGAIN: {
        (role, where, "operations") for role in ("engineer", "ops") for where in ("campus", "group")
    },
    Action.MASTER_DATA_READ: {
        (role.value, where, purpose)
        for role in Role
        if role is not Role.PATIENT
        for where in ("campus", "group", "other", "shared")
        for purpose in ("treatment", "operations", "administration")
    },
    Action.MASTER_DATA_WRITE: {
        (role, where, purpose)
        for role in ("admin", "engineer")
        for where in ("campus", "group")
        for purpose in ("operations", "administration")
    },
    Action.CODE_MAP_READ: {
        (role, where, "operations")
        for role in ("admin", "engineer", "ops")
        for where in ("campus", "group", "shared")
    },
    Action.CODE_MAP_WRITE: {("engineer", where, "operations") for where in ("campus", "group")},
    Action.IDENTITY_READ: {("coordinator", "campus", purpose) for purpose in ("treatment", "operations")}
    | {
        ("admin", where, purpose)
        for where in ("campus", "group")
        for purpose in ("administration", "operations")
    },
    Action.IDENTITY_FIGURES_READ: {
        ("coordinator", "campus", purpose) for purpose in ("treatment", "operations")
    }
    | {
        (role, where, purpose)
        for role in ("admin", "engineer", "ops", "manager")
        for where in ("campus", "group", "shared")
        for purpose in ("administration", "operations")
    },
    Action.WORKFLOW_READ: {
        (role, where, "operations")
        for role in ("admin", "engineer", "ops")
        for where in ("campus", "group", "shared")
    },
    Action.WORKFLOW_PAYLOAD_READ: set(),
    Action.WORKFLOW_PAYLOAD_WRITE: set(),
    Action.AUDIT_READ: {("admin", "shared", "audit")},
    Action.UPLOAD: {("system", "campus", "operations")},
    Action.RECORD_EXPORT: {
        (role, "campus", purpose)
        for role in ("admin", "manager")
        for purpose in ("administration", "operations")
    },
    Action.RECORD_WRITE: {("system", "campus", "operations")},
    Action.DOCUMENT_SUBMIT: {("system", "campus", purpose) for purpose in ("operations", "treatment")},
}
ALLOWED[Action.RECORD_READ] = ALLOWED[Action.DOCUMENT_READ] = ALLOWED[Action.PATIENT_READ]
ALLOWED[Action.PATIENT_QUERY] = ALLOWED[Action.PATIENT_READ]
ALLOWED[Action.IDENTITY_DECIDE] = ALLOWED[Action.IDENTITY_READ]
for everyones in (Action.ME_READ, Action.CAPABILITIES_READ):
    ALLOWED[everyones] = {
        (role.value, where.value, purpose.value)
        for role, where, purpose in itertools.product(Role, Relation, Purpose)
    }


def user(role: Role, where: Relation, *permissions: Permission) -> User:
    return User(
        username=f"someone.{role.value}",
        display_name="某人",
        role=role,
        organisation=GROUP if where is Relation.GROUP else "HP",
        person_id=ME if where is Relation.SELF else None,
        permissions=frozenset(permissions),
    )


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("role", Role)
def test_the_table_allows_exactly_what_is_listed(role: Role, action: Action) -> None:
    for where, purpose in itertools.product(Relation, Purpose):
        decision = decide(user(role, where), action, WHERE[where], purpose)
        expected = (role.value, where.value, purpose.value) in ALLOWED[action]
        assert decision.allow is expected, (role, action, where, purpose, decision.reason)


@pytest.mark.parametrize("role", Role)
def test_a_message_body_needs_a_permission_given_by_name(role: Role) -> None:
    for where, purpose in itertools.product(Relation, Purpose):
        who = user(role, where, Permission.MESSAGE_BODY)
        expected = (
            role in (Role.ENGINEER, Role.OPS)
            and where in (Relation.CAMPUS, Relation.GROUP, Relation.SHARED)
            and purpose is Purpose.OPERATIONS
        )
        assert decide(who, Action.MESSAGE_BODY_READ, WHERE[where], purpose).allow is expected


@pytest.mark.parametrize("role", Role)
def test_a_search_in_the_documents_of_many_needs_a_permission_given_by_name(role: Role) -> None:
    for where, purpose in itertools.product(Relation, Purpose):
        who = user(role, where, Permission.DOCUMENT_SEARCH)
        expected = (
            role in (Role.DOCTOR, Role.COORDINATOR, Role.MANAGER, Role.ADMIN)
            and where in (Relation.CAMPUS, Relation.GROUP)
            and purpose in (Purpose.TREATMENT, Purpose.OPERATIONS, Purpose.ADMINISTRATION)
        )
        assert decide(who, Action.DOCUMENT_SEARCH, WHERE[where], purpose).allow is expected


@pytest.mark.parametrize("role", Role)
def test_vips_are_found_by_clinicians_with_a_permission_given_by_name(role: Role) -> None:
    for where, purpose in itertools.product(Relation, Purpose):
        who = user(role, where, Permission.VIP)
        expected = (
            role in (Role.DOCTOR, Role.COORDINATOR)
            and where is Relation.SHARED
            and purpose is Purpose.TREATMENT
        )
        assert decide(who, Action.VIP_FIND, WHERE[where], purpose).allow is expected


@pytest.mark.parametrize("role", Role)
def test_what_workflows_carry_needs_a_permission_given_by_name(role: Role) -> None:
    for where, purpose in itertools.product(Relation, Purpose):
        operating = where is Relation.CAMPUS and purpose is Purpose.OPERATIONS
        reader = user(role, where, Permission.WORKFLOW_PAYLOAD)
        allowed = decide(reader, Action.WORKFLOW_PAYLOAD_READ, WHERE[where], purpose).allow
        assert allowed is (operating and role in (Role.ENGINEER, Role.OPS))
        assert not decide(reader, Action.WORKFLOW_PAYLOAD_WRITE, WHERE[where], purpose).allow
        writer = user(role, where, Permission.WORKFLOW_PAYLOAD_WRITE)
        allowed = decide(writer, Action.WORKFLOW_PAYLOAD_WRITE, WHERE[where], purpose).allow
        assert allowed is (operating and role is Role.ENGINEER)


@pytest.mark.parametrize("where", [Relation.CAMPUS, Relation.OTHER, Relation.SHARED])
def test_a_campuss_program_reads_shared_documents_by_a_permission_given_by_name(where: Relation) -> None:
    program = user(Role.SYSTEM, where, Permission.SHARED_DOCUMENTS)
    for purpose in Purpose:
        allowed = decide(program, Action.DOCUMENT_READ, WHERE[where], purpose).allow
        assert allowed is (purpose is Purpose.TREATMENT)


def test_a_program_asks_about_patients_with_a_permission_given_by_name() -> None:
    for where, purpose in itertools.product(Relation, Purpose):
        who = user(Role.SYSTEM, where, Permission.PATIENT_QUERY)
        expected = where in (Relation.CAMPUS, Relation.SHARED) and purpose in (
            Purpose.TREATMENT,
            Purpose.OPERATIONS,
        )
        assert decide(who, Action.PATIENT_QUERY, WHERE[where], purpose).allow is expected


@pytest.mark.parametrize("where", Relation)
def test_the_examples_stand_in_the_relation_they_are_named_by(where: Relation) -> None:
    assert relation(user(Role.DOCTOR, where), WHERE[where]) is where


def test_a_refusal_says_what_is_missing() -> None:
    doctor = user(Role.DOCTOR, Relation.CAMPUS)
    manager = user(Role.MANAGER, Relation.CAMPUS)
    engineer = user(Role.ENGINEER, Relation.GROUP)
    reasons = [
        decide(manager, Action.PATIENT_READ, SHARED, Purpose.TREATMENT).reason,
        decide(doctor, Action.PATIENT_READ, SHARED, Purpose.OPERATIONS).reason,
        decide(doctor, Action.CRITICAL_VALUE_READ, Resource("MAIN"), Purpose.TREATMENT).reason,
        decide(engineer, Action.MESSAGE_BODY_READ, Resource("HP"), Purpose.OPERATIONS).reason,
    ]
    assert reasons == [
        "the role manager may not do patient.read",
        "the role doctor may not do patient.read for the purpose operations",
        "HP has no right to critical-value.read here (relation: other)",
        "message-body.read needs a permission given by name, which someone.engineer does not have",
    ]


def test_a_search_reaches_all_persons_oneself_or_nobody() -> None:
    patient = user(Role.PATIENT, Relation.SELF)
    unbound = user(Role.PATIENT, Relation.CAMPUS)
    reaches = [
        reach(user(Role.DOCTOR, Relation.CAMPUS), Action.RECORD_READ, Purpose.TREATMENT)[0],
        reach(patient, Action.RECORD_READ, Purpose.OWN)[0],
        reach(unbound, Action.RECORD_READ, Purpose.OWN)[0],
        reach(user(Role.ENGINEER, Relation.GROUP), Action.RECORD_READ, Purpose.OPERATIONS)[0],
    ]
    assert reaches == [Reach.ALL, Reach.OWN, Reach.NONE, Reach.NONE]


def test_a_patient_does_not_see_another() -> None:
    patient = user(Role.PATIENT, Relation.SELF)
    assert not decide(patient, Action.PATIENT_READ, Resource(person_id=SOMEONE_ELSE), Purpose.OWN).allow
