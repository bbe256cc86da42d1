"""A destination that takes JSON, FHIR or the message as it came by HTTP."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from bus.rules.sending.http import HttpDestination, SignIn
from bus.rules.sending.shape import Object

OURS = frozenset({"authorization", "content-length", "content-type", "cookie", "host", "transfer-encoding"})
"""Headers that are said elsewhere in the file, or are not the file's to say."""


class RestDestination(HttpDestination):
    """HTTP POST or PUT of JSON, FHIR or the message as it came."""

    kind: Literal["rest"]
    address: str = Field(
        description="URL, https:// unless plain_http is true; {PATH} in it is the message's value there"
    )
    method: Literal["POST", "PUT"] = "POST"
    headers: dict[str, str] = Field(default_factory=dict, description="sent with every message; no secret")
    body: Object | None = Field(
        default=None, description="the JSON that is sent, as a shape; absent: the message itself"
    )
    content_type: str | None = Field(
        default=None, description="by default application/json, application/xml or application/hl7-v2"
    )
    sign_in: SignIn | None = None
    idempotency_header: str = Field(
        default="Idempotency-Key", description="carries an id that is the same in every try"
    )
    also_taken: tuple[int, ...] = Field(
        default=(), description="statuses beside 2xx that mean it has the message, as 409 for a known key"
    )

    @field_validator("address")
    @classmethod
    def _one_host(cls, address: str) -> str:
        if "{" in urlsplit(address).netloc:
            raise ValueError("{PATH} stands behind the host: no message decides who gets it")
        return address

    @field_validator("headers")
    @classmethod
    def _plain(cls, headers: dict[str, str]) -> dict[str, str]:
        for name in headers:
            if name.lower() in OURS:
                raise ValueError(f"{name} is not written here: there are sign_in and content_type")
        return headers
