"""How the uploads show in OpenAPI: the body's schema with its example, the headers, the answers."""

from __future__ import annotations

from typing import Any

from adapters.rest.examples import EXAMPLES
from adapters.rest.models import DOCUMENT, UPLOADS

_PROBLEM = {"content": {"application/problem+json": {"schema": {"type": "object"}}}}
_ANSWERS = {
    400: "malformed JSON, or Idempotency-Key missing",
    401: "no or wrong credentials",
    403: "this account uploads for another campus",
    404: "no such campus or interface",
    413: "larger than the limit",
    415: "not application/json in UTF-8 (of a document: application/xml)",
    422: "the body does not fit the interface",
    503: "not stored: send the same again",
}

ANSWERS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, **_PROBLEM} for status, text in _ANSWERS.items()
}

HEADERS: list[dict[str, Any]] = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "Your id of this message, unique in X-Sending-System. A retry keeps it.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 100},
    },
    {
        "name": "X-Sending-System",
        "in": "header",
        "required": False,
        "description": "Your system's name, as in HIS or LIS",
        "schema": {"type": "string", "default": "REST", "maxLength": 100},
    },
]


DOCUMENT_SUMMARY = "A WS/T 500 document (HL7 CDA R2) in XML; patient, visit and kind are read from it"


def operation(kind: str) -> dict[str, Any]:
    """Return the parts of the operation that FastAPI cannot see."""
    if kind == DOCUMENT:
        content: dict[str, Any] = {"application/xml": {"schema": {"type": "string"}}}
    else:
        schema = _inlined(UPLOADS[kind].model_json_schema(by_alias=True))
        content = {"application/json": {"schema": schema, "example": EXAMPLES[kind]}}
    return {
        "parameters": HEADERS,
        "requestBody": {"required": True, "content": content},
        "security": [{"basic": []}, {"bearer": []}],
    }


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Put `$defs` in the places that refer to them: OpenAPI resolves references from its own root."""
    definitions = schema.pop("$defs", {})

    def resolve(part: Any) -> Any:
        if isinstance(part, dict):
            if "$ref" in part:
                rest = {key: value for key, value in part.items() if key != "$ref"}
                return resolve({**definitions[part["$ref"].rpartition("/")[2]], **rest})
            return {key: resolve(value) for key, value in part.items()}
        return [resolve(item) for item in part] if isinstance(part, list) else part

    result: dict[str, Any] = resolve(schema)
    return result
