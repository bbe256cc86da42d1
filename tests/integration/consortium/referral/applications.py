"""A referral from Huangpu to the main campus, begun and taken further."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from consortium.referral import applying, recording
from consortium.referral.applying import Application, Consent
from consortium.referral.details import Details
from consortium.referral.form import Form
from consortium.referral.model import Party, Step
from consortium.referral.notices import Notice
from consortium.referral.recording import Order, Recorded
from consortium.scheduling.hours import PlainCalendar

NOW = datetime(2026, 11, 25, 1, tzinfo=UTC)
FORM = Form(
    name="王珅",
    sex="male",
    birth_date=date(1949, 12, 31),
    preliminary_diagnosis="急性心肌梗死",
    reason="本院不能开展急诊冠脉介入治疗",
)
CALENDAR = PlainCalendar()
NOTHING = Details()


def application(id_: UUID, **said: object) -> Application:
    facts: dict[str, object] = {
        "direction": "up",
        "urgency": "routine",
        "sending_facility": "HP",
        "receiving_facility": "MAIN",
        "form": FORM,
        "criteria": ("lacking_technique",),
        "created_by": "doctor.huangpu",
    }
    return Application(id=id_, **(facts | said))  # type: ignore[arg-type]


@dataclass
class Case:
    """One referral in PostgreSQL."""

    connection: sa.Connection
    id: UUID = field(default_factory=uuid4)
    told: list[Notice] = field(default_factory=list)
    now: datetime = NOW
    keys: int = 0

    def begin(self, *, consented: bool = True, **said: Any) -> Case:
        applying.begin(self.connection, application(self.id, **said), NOW, CALENDAR)
        if consented:
            word = Consent(id=uuid4(), given=True, by_relation="patient", method="written")
            applying.consent(self.connection, self.id, word, "doctor.huangpu", NOW)
        return self

    def tell(self, connection: sa.Connection, notice: Notice) -> None:
        self.told.append(notice)

    def take(
        self,
        step: Step,
        party: Party,
        details: Details = NOTHING,
        *,
        user: str | None = "somebody",
        key: str | None = None,
    ) -> Recorded:
        self.keys += 1
        self.now += timedelta(minutes=1)
        order = Order(self.id, key or f"key-{self.keys}", step, party, user, details, self.now)
        return recording.record(self.connection, order, CALENDAR, self.tell)

    def accepted(self) -> Case:
        self.take(Step.SUBMIT, Party.SENDING_DOCTOR, user="doctor.huangpu")
        self.take(Step.TAKE, Party.RECEIVING_COORDINATOR, user="coordinator.main")
        self.take(Step.ACCEPT, Party.RECEIVING_COORDINATOR, Details(department="0101"))
        return self
