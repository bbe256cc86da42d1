"""What the routes of the service registry answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field


class Name(BaseModel):
    """A name for people."""

    zh: str = Field(examples=["检验信息系统"])
    en: str = Field(examples=["Laboratory information system"])


class Owner(BaseModel):
    """Who answers for a system."""

    role: str = Field(examples=["院本部检验科信息岗"])
    mail: str | None = Field(description="of the team")


class Drift(BaseModel):
    """A difference between what is declared and what is so."""

    what: str = Field(
        examples=["other_version"],
        description="never_seen, undeclared_system, undeclared_type, other_way, other_version,"
        " no_destination, no_subscriber",
    )
    subject: str = Field(examples=["ORU^R01"], description="type, destination, subscriber; empty: the system")
    declared: str = Field(examples=["2.5"])
    found: str = Field(examples=["2.4"])


class System(BaseModel):
    """One system of a campus: declared, seen, or both."""

    facility: str = Field(examples=["MAIN"])
    sender: str = Field(examples=["LIS"], description="its code: as in MSH-3, or as the door names it")
    name: Name | None
    owner: Owner | None
    vendor: str | None
    version: str | None = Field(description="release that runs, as declared")
    declared: bool = Field(description="whether the campus's systems.yaml has it")
    endpoints: list[str] = Field(description="protocol, and endpoint where it has another name")
    message_types: dict[str, int] = Field(description="messages of each type since it was first seen")
    first_seen: datetime | None
    last_seen: datetime | None
    today: int = Field(description="messages today, in China's time")
    held_today: int
    rules: list[str] = Field(description="rules its messages fit; `?`: that depends on the body")
    receives: list[str] = Field(description="destinations by which it is reached")
    subscriptions: list[str] = Field(description="names by which it is told of master data")
    health: str = Field(examples=["ok"], description="ok, unseen, silent, troubled")
    silent: bool = Field(description="nothing came for longer than its campus may be silent")
    drift: list[Drift]


class Flow(BaseModel):
    """Messages of one type."""

    message_type: str = Field(examples=["ORU^R01"])
    rules: list[str]
    messages: int
    today: int
    per_day: float = Field(description="between the first and the last; at least over one day")
    first_seen: datetime | None
    last_seen: datetime | None


class Outward(BaseModel):
    """A destination by which a system is reached."""

    name: str = Field(examples=["ward-b"])
    facility: str
    kind: str = Field(examples=["mllp"])
    deployed: bool
    rules: list[str] = Field(description="that send there")
    open: dict[str, int] = Field(description="deliveries that are not done, by state")
    oldest: datetime | None
    alerts: list[str] = Field(description="open alerts about it")


class Subscription(BaseModel):
    """A subscription of master data."""

    name: str
    kinds: list[str]
    waiting: int


class Details(System):
    """All that is known of a system."""

    senders: list[str] = Field(description="names by which its messages come")
    services: list[dict[str, Any]] = Field(
        description="what it gives, as declared: types, protocol, contract"
    )
    asks: list[str] = Field(description="questions it puts: pix, pdq, fhir, xds")
    flows: list[Flow]
    destinations: list[Outward]
    told: list[Subscription]


class Starved(BaseModel):
    """What gets less."""

    name: str
    wholly: bool = Field(description="nobody else feeds it: it gets nothing more")


class Reached(BaseModel):
    """A system that feels it."""

    facility: str
    code: str
    through: list[str] = Field(description="destinations by which it is reached")
    depth: int = Field(description="1: it got messages of the system itself; 2: of one of those")
    wholly: bool


class Impact(BaseModel):
    """What breaks if a system goes away."""

    facility: str
    sender: str
    stops: list[Flow] = Field(description="message types that stop coming")
    rules: list[Starved]
    destinations: list[Starved]
    workflows: list[Starved]
    systems: list[Reached]
    unreceived: list[Outward] = Field(description="destinations without a receiver then")
    untold: list[Subscription]
    unasked: list[str]


class Gateway(BaseModel):
    """A gateway (网关) on a campus's front machine, as it last told of itself."""

    name: str = Field(examples=["ns-front"])
    campuses: list[str] = Field(description="whom it may speak for")
    last_seen: datetime
    silent_seconds: float = Field(description="since its last sign of life")
    last_message: datetime | None
    spooled: int = Field(description="messages there that were not here at last_seen")
    oldest_seconds: float = Field(description="how long the oldest of them has waited by now")
    full: str = Field(description="why it takes nothing from its campus; empty: it does")
    version: str
    doors: dict[str, dict[str, int | float | str]] = Field(description="what each way in has counted")
