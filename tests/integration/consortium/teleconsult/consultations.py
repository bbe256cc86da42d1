"""A consultation that Huangpu asks the main campus for, taken further, with experts and their slots."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import sqlalchemy as sa

from consortium.notifications import queue
from consortium.notifications.model import Notice
from consortium.scheduling import resources
from consortium.scheduling.hours import PlainCalendar
from consortium.teleconsult import recording, requesting
from consortium.teleconsult.details import Details
from consortium.teleconsult.model import Kind, Party, Step, Urgency
from consortium.teleconsult.recording import Order, Recorded
from consortium.teleconsult.requesting import Consent, Content, Request

NINE = (datetime.now(UTC) + timedelta(days=7)).replace(hour=1, minute=0, second=0, microsecond=0)
"""When the first slot begins."""
HALF = timedelta(minutes=30)
EXPERTS = ("expert.chen", "expert.li")
HOST = "doctor.hp"
CONTENT = Content("是否需要手术？", (UUID(int=7),), Consent("patient", "written"))
NOTHING = Details()
RD, EX, CC = Party.REQUESTING_DOCTOR, Party.EXPERT, Party.CONSULTING_COORDINATOR


def staff(connection: sa.Connection) -> None:
    """Make the accounts of two experts and of the doctor who asks."""
    for username, campus in ((EXPERTS[0], "MAIN"), (EXPERTS[1], "MAIN"), (HOST, "HP")):
        connection.execute(
            sa.text(
                "INSERT INTO access.account (username, display_name, role, organisation, password_hash)"
                " VALUES (:username, :username, 'doctor', :campus, 'none')"
            ),
            {"username": username, "campus": campus},
        )


def slots(connection: sa.Connection, expert: str, *hours: int) -> list[UUID]:
    """Publish half hours of an expert, each so many half hours after nine; return their ids."""
    one = resources.add(connection, "MAIN", "expert", expert, by="c", username=expert)
    times = [(NINE + hour * HALF, NINE + (hour + 1) * HALF) for hour in hours]
    return [slot.id for slot in resources.publish(connection, one.id, times, by="c")]


def request(id_: UUID, kind: Kind, urgency: Urgency = "routine", content: Content = CONTENT) -> Request:
    """Return what is asked."""
    return Request(
        id=id_,
        kind=kind,
        urgency=urgency,
        requesting_facility="HP",
        consulting_facility="MAIN",
        content=content,
        created_by=HOST,
    )


@dataclass
class Case:
    """One consultation in PostgreSQL."""

    connection: sa.Connection
    kind: Kind = Kind.VIDEO
    urgency: Urgency = "routine"
    content: Content = CONTENT
    id: UUID = field(default_factory=uuid4)
    told: list[Notice] = field(default_factory=list)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    keys: int = 0

    def __post_init__(self) -> None:
        """Begin it."""
        wanted = request(self.id, self.kind, self.urgency, self.content)
        requesting.begin(self.connection, wanted, self.now, PlainCalendar())

    def tell(self, connection: sa.Connection, notice: Notice) -> None:
        """Ask for it to be told, and remember it."""
        if queue.ask(connection, notice):
            self.told.append(notice)

    def take(
        self, step: Step, party: Party, details: Details = NOTHING, user: str | None = "u", key: str = ""
    ) -> Recorded:
        """Record a step."""
        self.keys += 1
        self.now += timedelta(seconds=1)
        order = Order(self.id, key or f"key-{self.keys}", step, party, user, details, self.now)
        return recording.record(self.connection, order, PlainCalendar(), self.tell)

    def accepted(self, *experts: str) -> Case:
        """Request, and assign those experts."""
        self.take(Step.SUBMIT, RD, user=HOST)
        self.take(Step.ASSIGN, CC, Details(experts=experts or EXPERTS))
        return self
