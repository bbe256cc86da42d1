"""What the MLLP listener is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from adapters.tls import Tls
from bus.campuses.charsets import Charsets
from runtime.mllp import MllpEndpoint
from runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class MllpSettings:
    """One listener: where it listens, whom it knows, and what it bears."""

    host: str
    port: int
    campuses: Mapping[str, str]
    """Campus code, as in MSH-4, to the Python codec for an empty MSH-18."""
    body_limit: int
    """Largest message, bytes."""
    endpoint: str = "mllp"
    keep_limit: int = 64 * 1024
    """How much of a refused message is kept, bytes."""
    buffer_limit: int = 256 * 1024 * 1024
    """Unfinished messages of all connections together, bytes; beyond it the sender is told to try again."""
    connections: int = 512
    """Connections at a time."""
    in_flight: int = 64
    """Messages of one connection that wait for their answer before no more is read from it."""
    idle_seconds: float = 3600.0
    """How long a connection may be silent between messages."""
    frame_seconds: float = 30.0
    """How long a sender may pause inside a message."""
    patience: float = 2.0
    """Seconds that a message waits for a store that is away before AE; a sender that should rather wait gets
    more.
    """
    enhanced: bool = False
    """Whether MSH-15 and MSH-16 are obeyed. Most senders fill them in and expect AA, AE, AR all the same."""
    window: timedelta = timedelta(days=30)
    """How long a control id stays known."""
    sequence: bool = False
    """Whether senders are held to the sequence number protocol (MSH-13, HL7 v2.5 §2.10.1)."""
    batch_limit: int = 5000
    """Messages in one frame of a batch."""
    tls: Tls | None = None

    @classmethod
    def of(cls, settings: Settings) -> MllpSettings:
        """Take what concerns this adapter from the platform's settings. Raises HL7Error for an unknown
        charset.
        """
        return cls(
            settings.mllp_host,
            settings.mllp_port,
            Charsets(settings.roster),
            settings.body_limit,
            window=timedelta(days=settings.dedupe_days),
        )

    @classmethod
    def every(cls, settings: Settings) -> tuple[MllpSettings, ...]:
        """Return what each listener is told: the plain one first, then `mllp_endpoints`. Raises HL7Error."""
        plain = cls.of(settings)
        return (plain, *(plain.at(endpoint) for endpoint in settings.mllp_endpoints))

    def at(self, endpoint: MllpEndpoint) -> MllpSettings:
        """Return the same for another endpoint."""
        return replace(
            self,
            host=endpoint.host,
            port=endpoint.port,
            endpoint=endpoint.name,
            enhanced=endpoint.enhanced,
            sequence=endpoint.sequence,
            tls=_tls(endpoint),
        )


def _tls(endpoint: MllpEndpoint) -> Tls | None:
    if endpoint.certificate is None or endpoint.key is None:
        return None
    return Tls(
        endpoint.certificate,
        endpoint.key,
        endpoint.client_ca,
        endpoint.client_certificate == "required",
        {sender.subject: frozenset(sender.campuses) for sender in endpoint.senders} or None,
    )
