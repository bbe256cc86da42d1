"""What is known of a system: declared by its campus, derived from what is deployed, seen in traffic."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bus.rules.systems import DeclaredSystem
from bus.systems import Seen


class Health(enum.StrEnum):
    """How a system stands."""

    OK = "ok"
    UNSEEN = "unseen"
    """It is declared to give messages, and never gave one."""
    SILENT = "silent"
    """Nothing came for longer than its campus may be silent, as the alert `silence` has it."""
    TROUBLED = "troubled"
    """An open alert is about a destination by which it is reached."""


class Difference(enum.StrEnum):
    """A kind of drift between what is declared and what is so."""

    NEVER_SEEN = "never_seen"
    UNDECLARED_SYSTEM = "undeclared_system"
    UNDECLARED_TYPE = "undeclared_type"
    OTHER_WAY = "other_way"
    OTHER_VERSION = "other_version"
    NO_DESTINATION = "no_destination"
    NO_SUBSCRIBER = "no_subscriber"


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference. `subject` is a message type, destination or subscriber; empty: the system itself."""

    what: Difference
    subject: str
    declared: str = ""
    found: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """Messages of one type that a system gives; with no `last_seen` it is declared to, and never did."""

    message_type: str
    rules: Sequence[str] = ()
    """Rules they fit; `?` behind one that looks into the body."""
    messages: int = 0
    today: int = 0
    first_seen: datetime | None = None
    last_seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outward:
    """A destination as it is deployed, and what waits for it."""

    name: str
    facility: str
    kind: str
    rules: Sequence[str]
    """Rules that send there."""
    notices_of: Sequence[str] = ()
    """Campuses of whose patient numbers it is told (PIX)."""
    open: Mapping[str, int] = field(default_factory=dict)
    """Deliveries that are not done, by state."""
    oldest: datetime | None = None
    deployed: bool = True
    alerts: Sequence[str] = ()
    """Names of open alerts about it."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A name by which a system is told of master data, and what waits for it."""

    name: str
    kinds: Sequence[str]
    waiting: int = 0
    destination: str = ""
    """By which it is told."""


@dataclass(frozen=True, slots=True)
class Link:
    """A rule as the registry sees it: what it makes of a message, and where it sends it on."""

    name: str
    facility: str
    kind: str | None
    destinations: Sequence[str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One system of the registry."""

    facility: str
    code: str
    """As declared; of a system that is not, its sender, destination or subscription."""
    declared: DeclaredSystem | None
    flows: Sequence[Flow] = ()
    endpoints: Sequence[str] = ()
    receives: Sequence[Outward] = ()
    subscriptions: Sequence[Subscription] = ()
    held_today: int = 0
    health: Health = Health.OK
    silent: bool = False
    """Whether nothing came for longer than its campus may be silent, whatever else is wrong."""
    drift: Sequence[Drift] = ()

    @property
    def asks(self) -> Sequence[str]:
        """Questions it puts to the consortium, as declared."""
        return self.declared.asks if self.declared else ()

    @property
    def last_seen(self) -> datetime | None:
        """When its last message came; None: never."""
        return max((flow.last_seen for flow in self.flows if flow.last_seen), default=None)

    @property
    def first_seen(self) -> datetime | None:
        """When its first message came; None: never."""
        return min((flow.first_seen for flow in self.flows if flow.first_seen), default=None)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the registry is made of, at one moment."""

    declared: Mapping[str, Sequence[DeclaredSystem]]
    """By campus."""
    seen: Sequence[Seen]
    destinations: Mapping[str, Outward]
    subscriptions: Mapping[str, Subscription]
    held: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Messages held today, by campus and sender."""
    versions: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    """MSH-12 of the newest message, by campus, sender and type."""
    patience: Mapping[str, float] = field(default_factory=dict)
    """Seconds of silence that mean nothing, by campus."""
