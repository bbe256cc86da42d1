"""The signed opinion: canonical content, so that the same words always have the same SHA-256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from consortium.teleconsult.details import Opinion


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed, and its hash."""

    content: str
    """Canonical JSON: keys in order, no white space, UTF-8."""
    sha256: bytes


def sign(
    consultation: UUID, kind: str, experts: Sequence[str], signer: str, at: datetime, opinion: Opinion
) -> Signed:
    """Return the content that an expert signs, bound to the consultation, the signer and the time."""
    said: Mapping[str, Any] = {
        "consultation": str(consultation),
        "experts": list(experts),
        "kind": kind,
        "opinion": opinion.model_dump(),
        "signed_at": at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "signer": signer,
    }
    content = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return Signed(content, hashlib.sha256(content.encode()).digest())
