"""A hub and its gateways on loopback, with certificates of an authority of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.gateway import hub
from adapters.gateway.agent import Agent, started
from adapters.gateway.server import Hub
from adapters.gateway.settings import GatewaySettings
from runtime.gateway import Gateway, GatewayEndpoint
from runtime.settings import Settings
from tests.certificates import Authority, Issued
from tests.fault.servers import port

NAME = "ns-front"
SUBJECT = "CN=gateway,O=南沙院区"


@dataclass
class Place:
    """Where the parts of one test lie, and where they listen."""

    folder: Path
    database_url: str
    campuses: tuple[str, ...] = ("HP", "NS")
    hub_port: int = field(default_factory=port)
    mllp_port: int = field(default_factory=port)
    http_port: int = field(default_factory=port)

    def __post_init__(self) -> None:
        self.authority = Authority(self.folder)
        self.hub_certificate = self.authority.issue("CN=hub")
        self.certificate = self.authority.issue(SUBJECT)

    def hub(self, **changed: Any) -> Settings:
        """Return what the hub is told."""
        told: dict[str, Any] = {
            "database_url": self.database_url,
            "routing_key": "key",
            "gateway_endpoint": GatewayEndpoint(
                port=self.hub_port,
                certificate=self.hub_certificate.certificate,
                key=self.hub_certificate.key,
                client_ca=self.authority.certificate,
            ),
            "gateways": (Gateway(name=NAME, subject=SUBJECT, campuses=self.campuses),),
        }
        return Settings(**told | changed)

    def agent(
        self, *, to: int | None = None, certificate: Issued | None = None, **changed: Any
    ) -> GatewaySettings:
        """Return what the gateway is told. `to`: the port that it takes for the hub's."""
        certificate = certificate or self.certificate
        told: dict[str, Any] = {
            "name": NAME,
            "hub": {
                "url": f"https://127.0.0.1:{to or self.hub_port}",
                "ca": self.authority.certificate,
                "certificate": certificate.certificate,
                "key": certificate.key,
            },
            "campuses": {"HP": "UNICODE UTF-8", "NS": "GB 18030-2000"},
            "spool": {"folder": self.folder / "spool", "free_mib": 0},
            "line": {"first_wait": 0.05, "longest_wait": 0.2, "beat_seconds": 0.5, "answer_seconds": 5.0},
            "mllp": [{"name": "mllp-front", "port": self.mllp_port}],
        }
        return GatewaySettings(**told | changed)

    @asynccontextmanager
    async def running(self, *, to: int | None = None, **changed: Any) -> AsyncIterator[tuple[Hub, Agent]]:
        """Run both."""
        async with hub.opened(self.hub()) as (served, _), started(self.agent(to=to, **changed)) as agent:
            yield served, agent
