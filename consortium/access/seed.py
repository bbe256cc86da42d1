"""The sample users that `./yilian up` brings along."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text

from consortium.access import accounts
from consortium.access.model import GROUP, Permission, Role
from consortium.access.passwords import hash_password, matches
from consortium.identity.search import PersonSearch, search


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample account."""

    username: str
    display_name: str
    role: Role
    organisation: str
    permissions: tuple[Permission, ...] = ()


SAMPLE_USERS = (
    Sample("admin", "系统管理员", Role.ADMIN, GROUP),
    Sample(
        "engineer",
        "集成工程师",
        Role.ENGINEER,
        GROUP,
        (Permission.MESSAGE_BODY, Permission.WORKFLOW_PAYLOAD),
    ),
    Sample("ops", "运维值班员", Role.OPS, GROUP),
    Sample("coordinator.main", "院本部协调员", Role.COORDINATOR, "MAIN"),
    Sample("coordinator.huangpu", "黄埔院区协调员", Role.COORDINATOR, "HP"),
    Sample("coordinator.huiya", "惠亚院区协调员", Role.COORDINATOR, "HY"),
    Sample("doctor.main", "院本部医生", Role.DOCTOR, "MAIN"),
    Sample("doctor.huangpu", "黄埔院区医生", Role.DOCTOR, "HP"),
    Sample("doctor.huiya", "惠亚院区医生", Role.DOCTOR, "HY"),
    Sample("coordinator.lianmeng", "联盟医院协调员", Role.COORDINATOR, "LM"),
    Sample("doctor.lianmeng", "联盟医院医生", Role.DOCTOR, "LM"),
    Sample("manager.group", "集团管理者", Role.MANAGER, GROUP, (Permission.DOCUMENT_SEARCH,)),
    Sample("manager.huangpu", "黄埔院区管理者", Role.MANAGER, "HP"),
    Sample("patient.demo", "示例患者", Role.PATIENT, GROUP),
    Sample("patient.referral", "转诊演示患者", Role.PATIENT, GROUP),
    Sample(
        "system.huangpu",
        "黄埔院区上传系统",
        Role.SYSTEM,
        "HP",
        (Permission.SHARED_DOCUMENTS, Permission.PATIENT_QUERY),
    ),
)

SAMPLE_PATIENT = "patient.demo"

_UPSERT = text(
    "INSERT INTO access.account (username, display_name, role, organisation, permissions, password_hash)"
    " VALUES (:username, :display_name, :role, :organisation, CAST(:permissions AS text[]), :password_hash)"
    " ON CONFLICT (username) DO UPDATE SET password_hash = excluded.password_hash"
)


def seed_sample_users(connection: Connection, password: str) -> None:
    """Create the missing sample users, all with this password; one whose password differs gets it again."""
    for sample in SAMPLE_USERS:
        known = accounts.find(connection, sample.username)
        if known is None or not matches(known.password_hash, password):
            connection.execute(_UPSERT, _values(sample, password))


def bind_sample_patient(connection: Connection, id_card: str) -> UUID | None:
    """Make patient.demo the golden person with that resident ID card; None when nobody is known by it yet."""
    people = search(connection, PersonSearch(id_card=id_card, limit=1)).rows
    if not people:
        return None
    person: UUID = people[0]["id"]
    accounts.bind_patient(connection, SAMPLE_PATIENT, person)
    return person


def _values(sample: Sample, password: str) -> dict[str, object]:
    return {
        "username": sample.username,
        "display_name": sample.display_name,
        "role": sample.role.value,
        "organisation": sample.organisation,
        "permissions": [permission.value for permission in sample.permissions],
        "password_hash": hash_password(password),
    }
