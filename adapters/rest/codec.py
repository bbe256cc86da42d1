"""From the bytes of a JSON upload to an arrival for the inbox."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from adapters.rest.models import Upload
from adapters.rest.problem import FieldError, Problem, ProblemError
from bus.cda.intake import take
from bus.cda.problem import DocumentError
from bus.envelope import Arrival

SENT_AT = "sent_at"
MAX_ERRORS = 20


@dataclass(frozen=True, slots=True)
class Heading:
    """What the request says outside its body."""

    facility: str
    kind: str
    control_id: str
    """Idempotency-Key."""
    sender: str
    """X-Sending-System."""


def arrival(body: bytes, heading: Heading, model: type[Upload]) -> Arrival:
    """Check the body and return what the inbox takes; raises `ProblemError`."""
    value = load(body)
    sent_at = value.get(SENT_AT)
    upload = _check(body, model)
    return Arrival(
        facility=heading.facility,
        sender=heading.sender,
        control_id=heading.control_id,
        message_type=f"rest:{heading.kind}",
        body=body,
        charset="utf-8",
        protocol="rest",
        endpoint=f"/api/v1/upload/{heading.facility}/{heading.kind}",
        digest=digest(value),
        patient_number=upload.patient.number,
        visit_number=_visit_number(upload),
        message_time=None if sent_at is None else str(sent_at),
    )


def document(body: bytes, heading: Heading) -> Arrival:
    """Check a clinical document and return what the inbox takes; raises `ProblemError`."""
    try:
        found = take(body)
    except DocumentError as error:
        errors = (FieldError(error.path, f"{error.chinese} | {error.english}"),) if error.path else ()
        detail = f"{error.chinese} | {error.english}"
        raise ProblemError(
            Problem(422, error.code, "Not a document that can be taken", detail, errors)
        ) from error
    return Arrival(
        facility=heading.facility,
        sender=heading.sender,
        control_id=heading.control_id,
        message_type=found.message_type,
        body=body,
        charset=found.charset,
        protocol="rest",
        endpoint=f"/api/v1/upload/{heading.facility}/{heading.kind}",
        digest=sha256(body).digest(),
        patient_number=found.patient_number,
        visit_number=found.visit_number,
        message_time=found.time,
    )


def load(body: bytes) -> dict[str, Any]:
    """Read the body: a JSON object in UTF-8 in which no key comes twice; raises `ProblemError`."""
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise _malformed(f"byte {error.start} is not UTF-8; send the body in UTF-8") from error
    except json.JSONDecodeError as error:
        raise _malformed(f"not well-formed JSON at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise _malformed("nested too deeply") from error
    if not isinstance(value, dict):
        raise _malformed("the body must be a JSON object")
    return value


def digest(value: dict[str, Any]) -> bytes:
    """Hash the content without `sent_at`, which a retry changes, whatever the order of keys and blanks."""
    content = {key: item for key, item in value.items() if key != SENT_AT}
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).digest()


def _check(body: bytes, model: type[Upload]) -> Upload:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_input=False, include_context=False, include_url=False)[:MAX_ERRORS]
        errors = tuple(FieldError(".".join(map(str, item["loc"])), item["msg"]) for item in found)
        detail = "the body does not fit this interface; correct the fields named in errors"
        raise ProblemError(Problem(422, "schema", "Unprocessable content", detail, errors)) from None


def _visit_number(upload: Upload) -> str | None:
    encounter = getattr(upload, "encounter", None)
    number = encounter.number if encounter is not None else getattr(upload, "encounter_number", None)
    return str(number) if number is not None else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _malformed("a key comes twice in one object; send each key once")
    return value


def _no_constant(name: str) -> float:
    raise _malformed(f"{name} is not JSON (RFC 8259, section 6)")


def _malformed(detail: str) -> ProblemError:
    return ProblemError(Problem(400, "malformed_json", "Malformed body", detail))
