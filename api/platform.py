"""What every route is given: settings, database, clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from uuid import UUID

from fastapi import Request
from sqlalchemy import Engine

from activities.client import acknowledge_critical_value
from activities.consultation_client import take_consultation_step
from activities.referral_client import take_step
from adapters.ihe.counts import Counts
from adapters.ihe.sources import Sources
from api.rates import Allowance
from bus.fhir.shapes import LOCAL
from bus.forms import CurrentRules
from bus.notifying.current import CurrentBook
from bus.rules.versions.calendars import CurrentCalendar
from bus.rules.versions.destinations import CurrentDestinations
from bus.rules.versions.shelf import Shelf
from bus.rules.versions.systems import CurrentSystems
from consortium.access.sign_in import Remembered
from consortium.documents import affinity
from consortium.documents.content import ContentStore
from consortium.documents.service import Registry
from consortium.teleconsult.rooms.livekit import VideoServer
from runtime.contents import opened_store
from runtime.notified import own_links
from runtime.services.livekit import api_url
from runtime.settings import Settings
from workflows.critical_value.model import Acknowledged
from workflows.referral.model import Stand, Start, Take
from workflows.teleconsult import model as consultation

Acknowledge = Callable[[Settings, UUID, str, str, str], Awaitable[Acknowledged]]
"""As `activities.client.acknowledge_critical_value`: critical value, user, note, idempotency key."""

TakeStep = Callable[[Settings, Start, Take, str], Awaitable[Stand]]
"""As `activities.referral_client.take_step`: what to start where nothing runs, the step, idempotency key."""


TakeConsultationStep = Callable[
    [Settings, consultation.Start, consultation.Take, str], Awaitable[consultation.Stand]
]
"""The same of consultations, as `activities.consultation_client.take_consultation_step`."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Platform:
    """The parts the application was made of."""

    settings: Settings
    engine: Engine
    now: Callable[[], datetime] = _now
    remembered: Remembered = field(default_factory=Remembered)
    acknowledge: Acknowledge = acknowledge_critical_value
    take_step: TakeStep = take_step
    take_consultation_step: TakeConsultationStep = take_consultation_step
    ihe_counts: Counts = field(default_factory=Counts)
    """What came to the SOAP doors of IHE, for the heartbeat."""

    def today(self) -> date:
        """Return the day that it is in the hospitals."""
        return self.now().astimezone(LOCAL).date()

    @cached_property
    def rules(self) -> CurrentRules:
        """The rules as they are now, for looking at what they would do."""
        return CurrentRules(self.settings.rules_dir)

    @cached_property
    def codec_allowance(self) -> Allowance:
        """How many payloads of workflows each user may have decoded."""
        return Allowance(self.settings.temporal_codec_per_minute)

    @cached_property
    def destinations(self) -> CurrentDestinations:
        """Other systems, as the deployed rules describe them."""
        return CurrentDestinations(self.settings.rules_dir)

    @cached_property
    def notifications(self) -> CurrentBook:
        """The templates of notifications, as the deployed rules have them."""
        return CurrentBook(self.settings.rules_dir, own_links(self.settings))

    @cached_property
    def calendar(self) -> CurrentCalendar:
        """Working time as the deployed rules have it, for the deadlines of referrals."""
        return CurrentCalendar(self.settings.rules_dir)

    @cached_property
    def systems(self) -> CurrentSystems:
        """The campuses' systems, as the deployed rules declare them."""
        return CurrentSystems(self.settings.rules_dir)

    @cached_property
    def contents(self) -> ContentStore:
        """Where the bytes of documents lie."""
        return opened_store(self.settings)

    @cached_property
    def registry(self) -> Registry:
        """What the registry of shared documents goes by. Raises AffinityDomainError."""
        domain = affinity.load(self.settings.rules_dir)
        return Registry(domain, self.settings.documents_repository, self.settings.documents_most)

    @cached_property
    def sources(self) -> Sources:
        """Campuses' own repositories."""
        return Sources(self.settings.document_sources, self.settings.documents_limit)

    @cached_property
    def video(self) -> VideoServer | None:
        """The video server; None where there is none."""
        settings = self.settings
        if settings.video == "off" or not settings.livekit_url or not settings.livekit_key:
            return None
        api = settings.livekit_api_url or api_url(settings.livekit_url)
        return VideoServer(settings.livekit_url, api, settings.livekit_key_name, settings.livekit_key)

    @cached_property
    def deployed(self) -> Shelf:
        """The rules that are active, for what is written here and sent on."""
        return Shelf(self.engine)

    @cached_property
    def statements(self) -> Engine:
        """The same pool, each statement a transaction of its own: what reads need, in fewer round trips."""
        return self.engine.execution_options(isolation_level="AUTOCOMMIT")


def platform(request: Request) -> Platform:
    """Return the application's parts (a FastAPI dependency)."""
    found = request.app.state.platform
    assert isinstance(found, Platform)  # noqa: S101 - narrows Any; create_app sets it
    return found


def request_id(request: Request) -> str:
    """Return the id that the edge gave this request."""
    return str(request.scope["state"]["request_id"])


def peer(request: Request) -> str:
    """Return the caller's address."""
    return request.client.host if request.client else "unknown"
