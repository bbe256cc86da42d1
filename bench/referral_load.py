"""The load of `bench referral`: drafts begun as the API begins them, and steps taken by its own client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

import sqlalchemy as sa
from temporalio.client import Client

from activities import outbox
from activities.referral_client import taken
from activities.referrals import stand
from consortium.errors import RetryableError
from consortium.records import service
from consortium.records.model import Change, Encounter, Kind, Patient, Provenance
from consortium.referral import applying, store
from consortium.referral.applying import Application, Consent
from consortium.referral.details import Details
from consortium.referral.form import Form
from consortium.referral.model import Party, Step
from consortium.referral.recording import recorded
from consortium.scheduling.hours import PlainCalendar
from workflows.referral.model import Start, Take

BATCH = 100
"""Drafts of one transaction while the store is filled."""
FORM = Form(
    name="王珅", sex="male", birth_date=date(1949, 12, 31), preliminary_diagnosis="冠状动脉粥样硬化性心脏病",
    history="高血压20年；2型糖尿病", treatment="阿司匹林；阿托伐他汀", reason="本院不能开展冠状动脉介入治疗",
)  # fmt: skip
_PATIENT = sa.text("SELECT id FROM identity.source_patient WHERE facility = 'HP' AND number = 'BENCH'")
APPROVAL = (
    (Step.SUBMIT, Party.SENDING_DOCTOR, Details()),
    (Step.TAKE, Party.RECEIVING_COORDINATOR, Details()),
    (Step.ACCEPT, Party.RECEIVING_COORDINATOR, Details(department="0101")),
)
"""From draft to acceptance: three updates."""


@dataclass(slots=True)
class Load:
    """What one load took."""

    seconds: float = 0.0
    done: int = 0
    updates: list[float] = field(default_factory=list)
    """Seconds of each update, from call to answer."""
    repeated: int = 0
    """Calls without an answer that were sent again with their key."""


def patient(engine: sa.Engine) -> int:
    """Return the source patient whom all are about, recorded by a visit unless there already."""
    with engine.begin() as connection:
        known = connection.execute(_PATIENT).scalar()
        if known is None:
            said = Patient(number="BENCH", name=FORM.name, sex="male", birth_date=FORM.birth_date)
            visit = Encounter(number="BENCH", class_="outpatient", status="finished", start=datetime.now(UTC))
            change = Change(kind=Kind.ENCOUNTER, patient=said, encounter=visit)
            provenance = Provenance(message_id=1, facility="HP", received_at=datetime.now(UTC))
            service.apply(connection, change, provenance)
            known = connection.execute(_PATIENT).scalar_one()
    return int(known)


def begin(connection: sa.Connection, patient_id: int, *, start: bool) -> UUID:
    """Write a draft with consent and, with `start`, the event that starts its workflow."""
    id_, now = uuid4(), datetime.now(UTC)
    application = Application(
        id=id_,
        direction="up",
        urgency="routine",
        sending_facility="HP",
        receiving_facility="MAIN",
        patient_id=patient_id,
        form=FORM,
        criteria=("lacking_technique",),
        created_by="doctor.huangpu",
    )
    applying.begin(connection, application, now, PlainCalendar())
    word = Consent(id=uuid4(), given=True, by_relation="patient", method="written")
    applying.consent(connection, id_, word, "doctor.huangpu", now)
    if start:
        event = Start(referral_id=id_, stand=stand(recorded(store.get(connection, id_))))
        outbox.tell(connection, f"referral:{id_}", event.model_dump(mode="json"))
    return id_


def fill(engine: sa.Engine, patient_id: int, count: int) -> None:
    """Begin so many, each with the event that starts its workflow."""
    for first in range(0, count, BATCH):
        with engine.begin() as connection:
            for _ in range(min(BATCH, count - first)):
                begin(connection, patient_id, start=True)


async def approve(engine: sa.Engine, client: Client, patient_id: int, load: Load) -> None:
    """Begin one and take it to its acceptance; each step reads how it stands first, as the API does."""
    referral = await asyncio.to_thread(_begun, engine, patient_id)
    for step, party, details in APPROVAL:
        start = await asyncio.to_thread(_standing, engine, referral)
        take = Take(step=step, party=party, user="bench", details=details)
        began = time.perf_counter()
        await _answered(client, start, take, f"bench:{step}", load)
        load.updates.append(time.perf_counter() - began)


async def _answered(client: Client, start: Start, take: Take, key: str, load: Load) -> None:
    while True:
        try:
            await taken(client, start, take, key)
        except RetryableError:
            load.repeated += 1
            if load.repeated > 100:
                raise
        else:
            return


def _begun(engine: sa.Engine, patient_id: int) -> UUID:
    with engine.begin() as connection:
        return begin(connection, patient_id, start=False)


def _standing(engine: sa.Engine, referral: UUID) -> Start:
    with engine.connect() as connection:
        return Start(referral_id=referral, stand=stand(recorded(store.get(connection, referral))))


async def run(one: Callable[[Load], Awaitable[None]], count: int, at_a_time: int) -> Load:
    """Do something so many times, so many at a time."""
    load, left = Load(), iter(range(count))

    async def lane(numbers: Iterable[int]) -> None:
        for _ in numbers:
            await one(load)
            load.done += 1

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_a_time):
            group.create_task(lane(left))
    load.seconds = time.perf_counter() - began
    return load
