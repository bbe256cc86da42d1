"""What is watched, as readings of one moment, and when a reading raises or clears an alert. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from bus.delivery.control import Mode
from bus.delivery.figures import Standing
from bus.gateways import Gateway
from bus.gauges import StoreAway, Unmapped
from bus.master_data.standing import Unhanded
from bus.notifying.figures import Stuck

EASED = 0.8
"""An alert is cleared at this share of its threshold, so that it does not come and go around it."""
FEWEST = 20
"""Messages of a campus below which a share of errors says nothing."""
ERROR_WINDOW = 600.0
"""Seconds over which the share of errors is told."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The thresholds; 0: not watched."""

    queue_seconds: float = 120.0
    error_share: float = 0.2
    silence_seconds: float = 3600.0
    silence_of: Mapping[str, float] = field(default_factory=dict)
    """By campus, in seconds; 0: it may be silent."""
    unmapped_codes: float = 5.0
    process_seconds: float = 30.0
    processes: Sequence[str] = ()
    gateway_seconds: float = 600.0
    """How long a gateway may be silent, or its oldest message wait there."""
    disk_free: float = 0.1
    """Least free share."""
    destination_seconds: float = 600.0
    """How long the first of a destination's queue may wait, or a change of master data that nothing takes
    there.
    """
    stuck: float = 1.0
    """Deliveries of a destination that wait for a person: this many are too many."""
    notifications: float = 1.0
    """Notifications of a channel that wait for a person: this many are too many."""
    breakers: bool = True
    """Whether an open breaker is told."""
    store_seconds: float = 30.0
    """How long the documents' store may be away."""
    workflow_seconds: float = 10.0
    """How long tasks of workflows may wait in their queue."""

    def patience(self, facility: str) -> float:
        """Return how many seconds a campus may be silent; 0: forever."""
        return self.silence_of.get(facility, self.silence_seconds)


@dataclass(frozen=True, slots=True)
class State:
    """What the readings are made of."""

    queue_age: float
    """Seconds that the oldest ready message has waited."""
    unmapped: Sequence[Unmapped]
    silent_processes: Mapping[str, float]
    """Seconds since each process's last sign of life, or since it was first found to give none."""
    errors: Sequence[tuple[str, int, int, int]]
    """Campus, messages taken within the window, how many of those are held, and how many were refused."""
    silence: Sequence[tuple[str, float]]
    disk_used: float
    """Share."""
    gateways: Sequence[Gateway] = ()
    """As each told of itself last."""
    destinations: Sequence[Standing] = ()
    subscribers: Sequence[Unhanded] = ()
    """Of master data, whose changes wait and are not queued."""
    store_away: StoreAway | None = None
    notifications_stuck: Sequence[Stuck] = ()
    notifications_late: Sequence[tuple[str, float]] = ()
    """Channel, seconds that the oldest has been due."""
    schedule_to_start: Sequence[tuple[str, float]] = ()
    """Task queue of Temporal with the kind of task, and how long such tasks wait there, in seconds."""
    documents_used: float | None = None
    """Share of the disk of the documents' folder, where that is not the home's."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One thing watched: above the threshold is bad, or at it, too."""

    name: str
    subject: str
    """A campus, process, gateway, destination, subscriber or task queue; "" for the whole platform."""
    value: float
    threshold: float
    detail: str
    """What, where, and what to do; no patient data."""
    inclusive: bool = False
    """Whether the threshold itself is bad."""

    @property
    def bad(self) -> bool:
        """Whether it is worth an alert."""
        return self.value > self.threshold or (self.inclusive and self.value == self.threshold)


class Turn(Enum):
    """What a reading does to an alert."""

    RAISE = "raised"
    KEEP = "keep"
    CLEAR = "cleared"
    NONE = "none"


def turn(reading: Reading, *, open_: bool) -> Turn:
    """Decide: raised when it is bad, cleared only well below the threshold."""
    if not open_:
        return Turn.RAISE if reading.bad else Turn.NONE
    eased = reading.threshold * (EASED if reading.name != "disk" else 0.98)
    return Turn.CLEAR if reading.value <= eased else Turn.KEEP


def readings(state: State, limits: Limits) -> list[Reading]:
    """Return a reading of everything that is watched."""
    watched = (
        *(_queue, _errors, _silence, _unmapped, _processes, _gateways),
        *(_destinations, _subscribers, _notifications, _store, _workflows, _disk),
    )
    return [reading for watch in watched for reading in watch(state, limits) if reading.threshold > 0]


def _queue(state: State, limits: Limits) -> Iterator[Reading]:
    age = state.queue_age
    detail = (
        f"the oldest ready message has waited {age:.0f} s; see relay, router and rabbitmq in ./yilian status"
    )
    yield Reading("queue_age", "", age, limits.queue_seconds, detail)


def _errors(state: State, limits: Limits) -> Iterator[Reading]:
    for facility, taken, held, refused in state.errors:
        sent = taken + refused
        if sent >= FEWEST:
            worse = "refused" if refused > held else "held"
            detail = (
                f"of {sent} messages of the last 10 minutes {held} are held and {refused} were refused;"
                f" see ./yilian messages list --state {worse} --facility {facility}"
            )
            yield Reading("error_rate", facility, (held + refused) / sent, limits.error_share, detail)


def _silence(state: State, limits: Limits) -> Iterator[Reading]:
    for facility, seconds in state.silence:
        detail = f"nothing came for {seconds / 60:.0f} minutes; ask the campus, and see ./yilian systems list"
        yield Reading("silence", facility, seconds, limits.patience(facility), detail)


def _unmapped(state: State, limits: Limits) -> Iterator[Reading]:
    new: dict[str, int] = {}
    for one in state.unmapped:
        new[one.facility] = new.get(one.facility, 0) + one.new
    for facility, codes in new.items():
        detail = (
            f"{codes} codes that no table knows came for the first time today; add them to rules/codes,"
            f" then ./yilian messages replay --code unmapped_code --facility {facility}"
        )
        yield Reading("unmapped", facility, codes, limits.unmapped_codes, detail)


def _processes(state: State, limits: Limits) -> Iterator[Reading]:
    for process in limits.processes:
        age = state.silent_processes.get(process, 0.0)
        since = f"no sign of life for {age:.0f} s"
        yield Reading(
            "process", process, age, limits.process_seconds, f"{since}; see ./yilian logs {process}"
        )


def _gateways(state: State, limits: Limits) -> Iterator[Reading]:
    for one in state.gateways:
        silent, oldest = one.silent_seconds, one.oldest_seconds
        if silent >= oldest:
            told = f"no sign of life for {silent / 60:.0f} minutes"
        else:
            told = f"{one.spooled} messages wait there, the oldest for {oldest / 60:.0f} minutes"
        campuses = ", ".join(one.campuses)
        detail = f"the gateway of {campuses}: {told}; there, `yilian gateway status` says why"
        yield Reading("gateway", one.name, max(silent, oldest), limits.gateway_seconds, detail)


def _destinations(state: State, limits: Limits) -> Iterator[Reading]:
    for one in state.destinations:
        resume = (
            "" if one.mode is Mode.RUNNING else f"; it is {one.mode}: ./yilian destinations resume {one.name}"
        )
        detail = f"the oldest queued delivery has waited {one.oldest:.0f} s; see ./yilian destinations list"
        yield Reading("destination_age", one.name, one.oldest, limits.destination_seconds, detail + resume)
        detail = f"{one.stuck} deliveries wait for a person; see ./yilian destinations show {one.name}"
        yield Reading("destination_stuck", one.name, one.stuck, limits.stuck, detail, inclusive=True)
        if limits.breakers and one.open is not None:
            detail = "it fails, and is asked now and then; tell its owner, and see ./yilian destinations list"
            yield Reading("destination_breaker", one.name, float(one.open), 1.0, detail, inclusive=True)


def _subscribers(state: State, limits: Limits) -> Iterator[Reading]:
    for one in state.subscribers:
        detail = (
            f"changes of master data wait for {one.seconds:.0f} s and do not come to the destination"
            f" {one.destination}; ./yilian master subscribers says why"
        )
        yield Reading("subscriber_age", one.name, one.seconds, limits.destination_seconds, detail)


def _notifications(state: State, limits: Limits) -> Iterator[Reading]:
    for one in state.notifications_stuck:
        detail = (
            f"{one.stuck} notifications wait for a person, {one.ambiguous} of them may have arrived;"
            " see /api/v1/notifications/dispatches"
        )
        yield Reading(
            "notification_stuck", one.channel, one.stuck, limits.notifications, detail, inclusive=True
        )
    for channel, seconds in state.notifications_late:
        detail = (
            f"the oldest is due for {seconds:.0f} s; is the channel set (docs/notifications.md), and the"
            " template deployed?"
        )
        yield Reading("notification_age", channel, seconds, limits.destination_seconds, detail)


def _store(state: State, limits: Limits) -> Iterator[Reading]:
    away = state.store_away
    seconds, reason = (away.seconds, away.reason) if away else (0.0, "")
    detail = (
        f"for {seconds:.0f} s no document could be stored: {reason}; messages with documents wait, and come"
        " in by themselves when it takes them again"
    )
    yield Reading("documents_store", "", seconds, limits.store_seconds, detail)


def _workflows(state: State, limits: Limits) -> Iterator[Reading]:
    for queue, seconds in state.schedule_to_start:
        detail = (
            f"of the tasks of the last 5 minutes one in twenty waited {seconds:.1f} s or longer for a worker:"
            " start another worker process, or raise its sizes (setting worker)"
        )
        yield Reading("workflow_wait", queue, seconds, limits.workflow_seconds, detail)


def _disk(state: State, limits: Limits) -> Iterator[Reading]:
    if limits.disk_free <= 0:
        return
    detail = f"{state.disk_used:.0%} of the disk is used; make room before PostgreSQL stops"
    yield Reading("disk", "", state.disk_used, 1 - limits.disk_free, detail)
    if (used := state.documents_used) is not None:
        detail = f"{used:.0%} of the documents' disk is used; make room, or messages with documents will wait"
        yield Reading("disk", "documents", used, 1 - limits.disk_free, detail)
