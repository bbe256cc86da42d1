"""People for the tests of reviews and decisions: who they truly are, and pairs that wait for a look."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from consortium.identity import idcard, reading, service, survivorship
from consortium.records.model import Patient, Provenance

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
EVIDENCE = [
    {"field": "prior", "level": "", "weight": -20.0},
    {"field": "name", "level": "exact", "weight": 14.5},
    {"field": "birth_date", "level": "exact", "weight": 12.0},
    {"field": "card", "level": "missing", "weight": 0.0},
    {"field": "phone", "level": "differs", "weight": -0.5},
]


@dataclass(frozen=True)
class Somebody:
    """Somebody, as they are."""

    name: str
    sex: str
    born: date
    phone: str
    district: str

    @property
    def card(self) -> str:
        bare = f"{self.district}{self.born:%Y%m%d}00{1 if self.sex == 'male' else 2}"
        return bare + idcard.check_character(bare)

    def as_patient(self, number: str, **more: Any) -> Patient:
        facts = {"name": self.name, "sex": self.sex, "birth_date": self.born, "phone": self.phone}
        return Patient(number=number, **{**facts, "id_card": self.card, **more})


PEOPLE = (
    Somebody("王珅", "male", date(1949, 12, 31), "13800138000", "110105"),
    Somebody("欧阳倩", "female", date(1990, 6, 15), "13911112222", "440106"),
    Somebody("买买提·吐尔逊", "male", date(1975, 2, 3), "15033334444", "650102"),
    Somebody("李红", "female", date(2003, 9, 9), "18655556666", "320102"),
    Somebody("赵大海", "male", date(1961, 4, 27), "17777778888", "210202"),
)
"""So different that nothing but a person's decision makes two of them one."""


SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许"
GIVEN = ("建国", "秀兰", "志强", "桂英", "晓东", "雪梅", "海涛", "丽华", "文博", "思远")


def somebody(n: int) -> Somebody:
    """One of 200 people, none like another."""
    born = date(1930, 1, 1) + timedelta(days=n * 397)
    name = SURNAMES[n % len(SURNAMES)] + GIVEN[n * 3 // len(SURNAMES) % len(GIVEN)]
    return Somebody(name, "male" if n % 2 else "female", born, f"13{n * 7919:09}", "440106")


def provenance(message: int, facility: str) -> Provenance:
    return Provenance(message_id=message, facility=facility, received_at=NOW + timedelta(seconds=message))


def register(connection: sa.Connection, message: int, facility: str, patient: Patient) -> int:
    """Register a number; returns its id."""
    return service.register(connection, facility, patient, provenance(message, facility)).id


def open_review(connection: sa.Connection, left: int, right: int, **more: Any) -> UUID:
    """Put a pair in the queue, as the pass that weighs it does."""
    values = {
        "left": min(left, right),
        "right": max(left, right),
        "reason": "probable",
        "weight": 6.0,
        "evidence": json.dumps(EVIDENCE),
        "at": NOW,
        **more,
    }
    statement = (
        "INSERT INTO identity.review (left_id, right_id, reason, weight, model_version, evidence, opened_at)"
        " VALUES (:left, :right, :reason, :weight, 'test', CAST(:evidence AS jsonb), :at) RETURNING id"
    )
    found: UUID = connection.execute(sa.text(statement), values).scalar_one()
    return found


def person_of(connection: sa.Connection, id_: int) -> UUID:
    found: UUID = connection.execute(
        sa.text("SELECT person_id FROM identity.link WHERE source_patient_id = :id"), {"id": id_}
    ).scalar_one()
    return found


def stale_goldens(connection: sa.Connection) -> list[UUID]:
    """Return the people whose golden record is not what their numbers say now."""

    rows = connection.execute(sa.text("SELECT * FROM identity.person ORDER BY id")).mappings().all()
    members: dict[UUID, list[Any]] = {row["id"]: [] for row in rows}
    for one in reading.of_persons(connection, list(members)):
        members[one.person_id].append(one.patient)
    return [
        row["id"]
        for row in rows
        if row["active"] != bool(members[row["id"]])
        or any(row[one.field] != one.value for one in survivorship.explain(members[row["id"]]))
    ]
