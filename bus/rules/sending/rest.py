"""A destination that takes JSON, FHIR or the message as it came by HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from bus.rules.sending.http import HttpDestination, SignIn
from bus.rules.sending.shape import Object
from bus.rules.sending.verify import INSERTED, KEY, Verify, VerifyRequest

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

    verify: VerifyRequest | None = Field(
        default=None, description="what was sent and not answered is asked for by this request"
    )

    @property
    def verification(self) -> Verify | None:
        """See `Destination`."""
        return self.verify

    @property
    def asked_by(self) -> Iterator[str]:
        """The paths into the message in the address of `verify`."""
        found = INSERTED.findall(self.verify.address) if self.verify else []
        return (path for path in found if path != KEY)

    @model_validator(mode="after")
    def _asked_where_it_went(self) -> Self:
        if self.verify is None:
            return self
        if self.resend_ambiguous:
            raise ValueError("verify: it is sent again without asking; take out resend_ambiguous")
        ours, asked = urlsplit(self.address), urlsplit(self.verify.address)
        if (ours.scheme, ours.netloc) != (asked.scheme, asked.netloc):
            raise ValueError(
                "verify: its address is on another host than the destination's: sign-in goes there"
            )
        return self

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
