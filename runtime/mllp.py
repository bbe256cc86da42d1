"""Settings of the MLLP listeners beside the plain one at `mllp_host` and `mllp_port`."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator


class Closed(BaseModel):
    """Frozen, and closed: a misspelt key is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class MllpSender(Closed):
    """Who a client certificate stands for."""

    subject: str = Field(
        min_length=4, description="the certificate's whole subject, RFC 4514: CN=engine,O=黄埔院区"
    )
    campuses: tuple[str, ...] = Field(min_length=1, description="codes that it may put into MSH-4")


class MllpEndpoint(Closed):
    """One more MLLP listener."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")] = Field(
        description="shown in the message list and the log"
    )
    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65535)
    enhanced: bool = Field(default=False, description="obey MSH-15 and MSH-16: CA, CE, CR, AA, or nothing")
    sequence: bool = Field(default=False, description="hold senders to the sequence number protocol (MSH-13)")
    certificate: Path | None = Field(default=None, description="PEM: our certificate, then its issuers")
    key: Path | None = Field(default=None, description="PEM: the certificate's private key, not encrypted")
    client_ca: Path | None = Field(default=None, description="PEM: who issues the senders' certificates")
    client_certificate: Literal["required", "optional"] = "required"
    senders: tuple[MllpSender, ...] = Field(
        default=(),
        description="which certificate may send for which campus; empty: any that client_ca issued, for all",
    )
    plain_text: bool = Field(
        default=False, description="this endpoint may listen beyond loopback without a certificate"
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: give both, or neither for plain text")
        if self.client_ca and not self.certificate:
            raise ValueError("client_ca needs TLS: give certificate and key, too")
        if self.senders and not self.client_ca:
            raise ValueError("senders are told apart by their certificates: give client_ca, too")
        if not self.certificate and not self.plain_text and not loopback(self.host):
            raise ValueError(
                f"{self.host} is not loopback and there is no certificate: patient data would cross the"
                " network in clear; give certificate and key, or plain_text = true for a protected line"
            )
        return self


def loopback(host: str) -> bool:
    """Say whether only this machine reaches a listener on that host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check(endpoints: Sequence[MllpEndpoint], plain_port: int) -> None:
    """Raise ValueError for endpoints that do not go together."""
    names, ports = {"mllp"}, {plain_port}
    for endpoint in endpoints:
        if endpoint.name in names:
            raise ValueError(f"mllp_endpoints: two are named {endpoint.name}; mllp is the one at mllp_port")
        if endpoint.port in ports:
            raise ValueError(f"mllp_endpoints: port {endpoint.port} of {endpoint.name} is taken by another")
        names.add(endpoint.name)
        ports.add(endpoint.port)
