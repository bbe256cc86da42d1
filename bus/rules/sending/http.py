"""Destinations over HTTP: what all say of their address, and the webhook."""

from __future__ import annotations

from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from bus.rules.sending.base import Destination, SecretName, Tls
from bus.rules.spec import Closed

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class SignIn(Closed):
    """How we sign in: HTTP Basic with a user, a bearer token without."""

    user: str | None = Field(default=None, min_length=1, description="absent: the secret is a bearer token")
    secret: SecretName = Field(
        description="name of the password or token in the setting delivery_secrets; never the secret"
    )


class HttpDestination(Destination):
    """What every destination over HTTP says."""

    address: str = Field(description="URL, https:// unless plain_http is true")
    plain_http: bool = Field(default=False, description="patients' data may go in the clear to this host")
    tls: Tls | None = Field(
        default=None, description="who signs the receiver, and our own certificate where it asks for one"
    )

    @field_validator("address")
    @classmethod
    def _url(cls, address: str) -> str:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("write https://host/path")
        if parts.username is not None or parts.password is not None:
            raise ValueError("no user and password here: who reads the file would know them")
        return address

    @model_validator(mode="after")
    def _in_the_clear(self) -> Self:
        parts = urlsplit(self.address)
        if parts.scheme == "http" and parts.hostname not in LOOPBACK and not self.plain_http:
            raise ValueError("http:// sends patients' data in the clear; write https://, or plain_http: true")
        return self


class WebhookDestination(HttpDestination):
    """HTTP POST, signed as Standard Webhooks has it (standardwebhooks.com)."""

    kind: Literal["webhook"]
    secret: SecretName = Field(
        description="name of the signing secret in the setting delivery_secrets; never the secret"
    )
    content_type: str | None = Field(
        default=None,
        description="by default that of what is sent: application/hl7-v2, FHIR JSON, …",
    )
