"""Asking a receiver whether it has what was sent and not answered."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, field_validator

from bus.rules.spec import Closed

INSERTED = re.compile(r"\{([^{}]+)\}")
"""What stands in an address, or in the name of a file, for a value."""
KEY = "idempotency_key"
"""Stands in an address for the id of the idempotency header."""


class Verify(Closed):
    """What was sent and not answered is asked for: what is there has arrived."""

    not_found: Literal["person", "resend"] = Field(
        default="person",
        description="what is not there: a person decides; resend: nobody takes it away, so it never arrived,"
        " and it is sent again",
    )
    wait_seconds: PositiveFloat = Field(
        default=5.0, description="after it went out, until it is first asked for; then doubling, up to 5 min"
    )


class VerifyRequest(Verify):
    """An HTTP GET: 2xx, and of a FHIR Bundle an entry in it, means that it is there; 404 or 410 that it is
    not.
    """

    address: str = Field(
        description="URL on the destination's host; {PATH} in it is the message's value there,"
        " {idempotency_key} the id that went in the idempotency header"
    )

    @field_validator("address")
    @classmethod
    def _one_host(cls, address: str) -> str:
        if "{" in urlsplit(address).netloc or urlsplit(address).scheme not in ("http", "https"):
            raise ValueError("write https://host/path, with {PATH} behind the host")
        return address
