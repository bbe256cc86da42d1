"""Settings of the identity endpoint `pix`: PIX and PDQ over HL7 v2."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Self

from pydantic import Field, PositiveFloat, model_validator

from runtime.mllp import Closed, loopback


class PixApplication(Closed):
    """An application that may feed patients of its campus, and ask."""

    application: str = Field(min_length=1, description="MSH-3; * for every application of the campus")
    facility: str = Field(description="MSH-4: the campus whose patients it feeds; GROUP: it only asks")
    asks: bool = Field(
        default=True, description="whether it may ask about patients of all campuses (PIX, PDQ)"
    )
    subject: str = Field(default="", description="its certificate's whole subject, RFC 4514; needs client_ca")


class PixSettings(Closed):
    """TLS, applications and paging of the listener at `pix_host` and `pix_port`."""

    applications: tuple[PixApplication, ...] = Field(
        default=(), description="who may connect; empty, on loopback alone: every application of each campus"
    )
    certificate: Path | None = Field(default=None, description="PEM: our certificate, then its issuers")
    key: Path | None = Field(default=None, description="PEM: the certificate's private key, not encrypted")
    client_ca: Path | None = Field(default=None, description="PEM: who issues the applications' certificates")
    plain_text: bool = Field(default=False, description="it may listen beyond loopback without a certificate")
    page: int = Field(default=100, ge=1, le=1000, description="most patients in one answer (PDQ)")
    pointer_minutes: PositiveFloat = Field(
        default=10.0, description="how long a continuation pointer (DSC-1) is good"
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("pix: certificate and key belong together")
        if self.client_ca and not self.certificate:
            raise ValueError("pix: client_ca needs TLS: give certificate and key, too")
        named = [one for one in self.applications if one.subject]
        if named and not self.client_ca:
            raise ValueError(
                "pix.applications: a subject is told by its certificate: give pix.client_ca, too"
            )
        if named and len(named) < len(self.applications):
            raise ValueError("pix.applications: give each its certificate's subject, or none")
        return self

    def known(self, campuses: Iterable[str]) -> tuple[PixApplication, ...]:
        """Return who may connect."""
        return self.applications or tuple(
            PixApplication(application="*", facility=campus) for campus in campuses
        )


def check(pix: PixSettings, host: str) -> None:
    """Raise ValueError for settings that do not go with the host."""
    if loopback(host):
        return
    if not pix.certificate and not pix.plain_text:
        raise ValueError(
            f"pix_host {host} is not loopback and there is no certificate: give pix.certificate and"
            " pix.key, or pix.plain_text = true for a protected line"
        )
    if not pix.applications or any(one.application == "*" and not one.subject for one in pix.applications):
        raise ValueError(f"pix_host {host} is not loopback: name each application in pix.applications")
