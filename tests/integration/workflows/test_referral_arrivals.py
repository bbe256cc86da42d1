"""A visit that an ADT message recorded at the receiving hospital is told to the referral, once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from activities.arrivals import tell_arrivals
from activities.database import engine as made
from consortium.records import service
from consortium.records.model import Change, Coded, Encounter, Kind, Patient, Provenance
from consortium.referral.details import Details
from consortium.referral.model import Party, Step
from tests.integration.consortium.referral.applications import NOW, Case

BORN = date(1949, 12, 31)
ID_CARD = "11010519491231002X"


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """The activities' engine on a fresh database."""
    engine = made(database_url)
    yield engine
    engine.dispose()


def visit(engine: sa.Engine, facility: str, number: str, message: int, **said: Any) -> int:
    """Record a visit as an ADT message says it; returns the source patient's id."""
    patient = Patient(number=f"P-{facility}", name="王珅", sex="male", birth_date=BORN, id_card=ID_CARD)
    facts: dict[str, Any] = {
        "class_": "inpatient",
        "status": "arrived",
        "department": Coded(code="0101", name="心血管内科"),
        "start": NOW + timedelta(days=2),
    }
    change = Change(
        kind=Kind.ENCOUNTER, patient=patient, encounter=Encounter(number=number, **(facts | said))
    )
    with engine.begin() as connection:
        at = datetime(2026, 11, 25, tzinfo=UTC) + timedelta(seconds=message)
        service.apply(connection, change, Provenance(message_id=message, facility=facility, received_at=at))
        found = sa.text("SELECT id FROM identity.source_patient WHERE facility = :f")
        return int(connection.execute(found, {"f": facility}).scalar_one())


def accepted(engine: sa.Engine) -> UUID:
    """A referral of that patient from Huangpu, accepted and booked at the main campus in two days."""
    patient = visit(engine, "HP", "V-HP", 1, start=NOW)
    begin = NOW + timedelta(days=2)
    with engine.begin() as connection:
        case = Case(connection).begin(patient_id=patient).accepted()
        slot = Details(slot_start=begin, slot_end=begin + timedelta(minutes=30))
        case.take(Step.BOOK, Party.RECEIVING_COORDINATOR, slot)
    return case.id


def told(engine: sa.Engine) -> list[Any]:
    with engine.connect() as connection:
        statement = sa.text(
            "SELECT dedupe_key, payload FROM bus.outbox WHERE dedupe_key LIKE 'referral-arr%'"
        )
        return [tuple(row) for row in connection.execute(statement)]


def test_the_visit_in_the_department_is_told_once(engine: sa.Engine) -> None:
    referral = accepted(engine)
    assert tell_arrivals(engine) == 0
    visit(engine, "MAIN", "V9", 2)
    assert (tell_arrivals(engine), tell_arrivals(engine)) == (1, 0)
    ((key, payload),) = told(engine)
    assert key.startswith(f"referral-arrived:{referral}:")
    assert payload == {"encounter": "V9"}


@pytest.mark.parametrize(
    ("facility", "said"),
    [
        ("HY", {}),
        ("MAIN", {"status": "planned"}),
        ("MAIN", {"status": "cancelled"}),
        ("MAIN", {"start": NOW - timedelta(days=1)}),
        ("MAIN", {"department": Coded(code="0901", name="急诊科")}),
    ],
)
def test_another_visit_is_no_arrival(engine: sa.Engine, facility: str, said: dict[str, Any]) -> None:
    accepted(engine)
    visit(engine, facility, "V9", 2, **said)
    assert tell_arrivals(engine) == 0
    assert told(engine) == []
