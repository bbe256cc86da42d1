"""Settings of the hub's side of gateways (网关): where it listens, and who may speak for which campus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from runtime.mllp import Closed

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]


class GatewayEndpoint(Closed):
    """Where gateways call, always over TLS."""

    host: str = "127.0.0.1"
    port: int = Field(default=8443, ge=1, le=65535)
    certificate: Path = Field(description="PEM: our certificate, then its issuers")
    key: Path = Field(description="PEM: the certificate's private key, not encrypted")
    client_ca: Path | None = Field(
        default=None,
        description="PEM: who issues the gateways' certificates; without it they sign in by account",
    )


class Gateway(Closed):
    """One front machine (前置机): how it proves who it is, and whom it speaks for."""

    name: Name = Field(description="as in the gateway's own settings; shown in the message list")
    campuses: tuple[str, ...] = Field(min_length=1, description="codes of the campuses it may speak for")
    subject: str = Field(
        default="", description="its client certificate's whole subject, RFC 4514: CN=gateway,O=南沙院区"
    )
    account: str = Field(default="", description="the system account with which it signs in")

    @model_validator(mode="after")
    def _known(self) -> Self:
        if not self.subject and not self.account:
            raise ValueError(f"the gateway {self.name} has neither subject nor account: give one, or both")
        return self


def check(gateways: Sequence[Gateway], endpoint: GatewayEndpoint | None) -> None:
    """Raise ValueError for gateways that do not go together."""
    for number, gateway in enumerate(gateways):
        if any(other.name == gateway.name for other in gateways[:number]):
            raise ValueError(f"gateways: two are named {gateway.name}")
        if gateway.subject and endpoint is not None and endpoint.client_ca is None:
            raise ValueError(
                f"gateways: {gateway.name} is known by its certificate: give gateway_endpoint a client_ca"
            )
