"""`/metrics`: the numbers of the bus in Prometheus's text format, for a scraper with the metrics token.

Whoever may read metrics by their role gets them too. Labels are campuses, types, states, codes, and names of
processes and destinations; nothing in them is a patient's.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.responses import Response

from api.caller import Caller, Gate, bearer
from api.platform import Platform, platform, request_id
from bus.delivery.figures import Figures
from bus.gauges import Gauges, read
from bus.notifying import figures as notifying
from consortium.access.model import GROUP, SHARED, Action, Purpose, Role, User

router = APIRouter(tags=["platform"])
KEPT = 5.0
"""Seconds that the numbers are kept, however many ask."""
SCRAPER = User("metrics", "Prometheus", Role.OPS, GROUP)


class MetricsGate(Gate):
    """Lets in whoever holds the setting `metrics_token`, besides those whose role may."""

    def __call__(
        self,
        request: Request,
        parts: Annotated[Platform, Depends(platform)],
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
        stated: Annotated[str | None, Header(alias="X-Purpose-Of-Use")] = None,
    ) -> Caller:
        """Return the caller. Raises NotSignedInError, ForbiddenError."""
        token = parts.settings.metrics_token
        if credentials and token and hmac.compare_digest(credentials.credentials.encode(), token.encode()):
            return Caller(
                SCRAPER, self.action, Purpose.OPERATIONS, request_id(request), "GET /metrics", parts
            )
        return super().__call__(request, parts, credentials, stated)


Scraper = Annotated[Caller, Depends(MetricsGate(Action.METRICS_READ))]


@dataclass
class Kept:
    """The newest numbers."""

    at: float = float("-inf")
    gauges: Gauges | None = None
    lock: Lock = field(default_factory=Lock)


@router.get(
    "/metrics", summary="Numbers for Prometheus", response_class=Response, responses={200: {"content": {}}}
)
def metrics(caller: Scraper, request: Request) -> Response:
    """Give every number, at most some seconds old."""
    caller.allow(SHARED)
    kept: Kept = request.app.state.metrics
    with kept.lock:
        if kept.gauges is None or time.monotonic() - kept.at > KEPT:
            with caller.parts.statements.connect() as connection:
                kept.gauges, kept.at = read(connection), time.monotonic()
        gauges = kept.gauges
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Numbers(gauges))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Numbers(Collector):
    """The gauges as families of metrics."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        """Give each family."""
        g = self._gauges
        yield _family("yilian_queue_age_seconds", "Oldest ready work", (), [(g.queue_age,)])
        yield _family("yilian_relay_lag_seconds", "Oldest work not published", (), [(g.relay_lag,)])
        received = CounterMetricFamily(
            "yilian_messages_received", "Messages accepted", labels=["facility", "message_type"]
        )
        for facility, message_type, count in g.received:
            received.add_metric([facility, message_type], count)
        yield received
        labels = ("facility", "message_type", "outcome")
        yield _family("yilian_messages", "Messages by what became of them", labels, _outcomes(g))
        states: dict[str, int] = dict.fromkeys(("ready", "waiting", "held"), 0)
        for *_, state, count in g.work:
            states[state] += count
        yield _family("yilian_work", "Messages without an effect yet, by state", ("state",), states.items())
        yield _family("yilian_held", "Held messages by reason", ("facility", "code"), g.held)
        yield _family("yilian_refused_1d", "Refusals within a day", ("facility", "code"), g.refused)
        unmapped = [(u.facility, u.table, u.codes) for u in g.unmapped]
        yield _family("yilian_unmapped_codes", "Codes no table knows", ("facility", "table"), unmapped)
        yield _family(
            "yilian_heartbeat_age_seconds", "Since a process's last sign of life", ("process",), g.beats
        )
        latency = "Acknowledged to recorded, of the newest messages"
        yield _family("yilian_ack_to_record_seconds", latency, ("quantile",), g.latency)
        waiting = [(destination, count) for destination, count, _ in g.outbox]
        yield _family("yilian_outbox", "Events not delivered yet", ("destination",), waiting)
        ages = [(destination, age) for destination, _, age in g.outbox]
        yield _family("yilian_outbox_age_seconds", "Oldest event not delivered", ("destination",), ages)
        waits = [(*name.rsplit(" ", 1), seconds) for name, seconds in g.schedule_to_start]
        wait = "95th percentile of the last 5 minutes: scheduled to taken by a worker"
        yield _family("yilian_workflow_schedule_to_start_seconds", wait, ("queue", "kind"), waits)
        yield from _delivery(g.delivery)
        yield from _notifications(g.notifications)


def _notifications(figures: notifying.Figures) -> Iterator[Metric]:
    """Give the families of what people are told."""
    labels = ("channel", "state")
    yield _family("yilian_notifications", "Notifications not done, by state", labels, figures.counts)
    stuck = [(one.channel, one.stuck) for one in figures.stuck]
    yield _family("yilian_notifications_stuck", "Parked or ambiguous: a person decides", ("channel",), stuck)
    ambiguous = [(one.channel, one.ambiguous) for one in figures.stuck]
    yield _family("yilian_notifications_ambiguous", "They may have arrived or not", ("channel",), ambiguous)
    late = "Oldest that is due and was not sent"
    yield _family("yilian_notification_age_seconds", late, ("channel",), figures.late)


def _delivery(figures: Figures) -> Iterator[Metric]:
    """Give the families of what goes to other systems."""
    by_name, standings = ("destination",), figures.standings
    labels = ("destination", "state")
    yield _family("yilian_deliveries", "Deliveries not done, by state", labels, figures.counts)
    ages = [(one.name, one.oldest) for one in standings]
    yield _family("yilian_delivery_queue_age_seconds", "Oldest queued delivery", by_name, ages)
    stuck = [(one.name, one.stuck) for one in standings]
    yield _family("yilian_deliveries_stuck", "Parked or ambiguous: a person decides", by_name, stuck)
    breakers = [(one.name, one.open) for one in standings if one.open is not None]
    yield _family("yilian_delivery_breaker_open", "1 while its breaker is not closed", by_name, breakers)
    times = sorted(figures.times.items())
    labels, of = ("destination", "quantile"), "of the newest delivered within an hour"
    queued = [(name, *pair) for name, one in times for pair in one.queued.items()]
    yield _family("yilian_delivery_queued_seconds", f"Queued to sent, {of}", labels, queued)
    ack = [(name, *pair) for name, one in times for pair in one.ack.items()]
    yield _family("yilian_delivery_ack_seconds", f"Sent to answered, {of}", labels, ack)


def _outcomes(gauges: Gauges) -> Iterator[tuple[str, str, str, int]]:
    open_: dict[tuple[str, str], int] = {}
    for facility, message_type, state, count in gauges.work:
        open_[facility, message_type] = open_.get((facility, message_type), 0) + count
        yield facility, message_type, state, count
    for facility, message_type, count in gauges.received:
        yield facility, message_type, "done", max(0, count - open_.get((facility, message_type), 0))


def _family(name: str, text: str, labels: Sequence[str], rows: Any) -> Metric:
    """Return a family whose rows end with the value."""
    family = GaugeMetricFamily(name, text, labels=list(labels))
    for *values, number in rows:
        family.add_metric([str(value) for value in values], float(number))
    return family
