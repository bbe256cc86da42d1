"""JSON out: UTF-8, decimals as the numbers they are, times as given."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
FHIR_JSON = "application/fhir+json"

_ENCODER = msgspec.json.Encoder(decimal_format="number")


def encode(value: Any) -> bytes:
    """Return the JSON text of plain data; UUID, datetime and Decimal are known."""
    return _ENCODER.encode(value)


class FhirResponse(Response):
    """A FHIR resource (HTTP content type of FHIR R4 section 3.1.0.1.10)."""

    media_type = FHIR_JSON

    def render(self, content: Any) -> bytes:
        """Encode the resource."""
        return encode(content)
