"""What the two adapters for uploads over HTTP, SOAP and REST, are told."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from adapters.via import pseudonym
from bus.campuses.charsets import Charsets
from runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class UploadSettings:
    """Limits and the campuses that may send."""

    campuses: Collection[str]
    """Codes accepted as facility, 机构代码."""
    body_limit: int
    """Largest request body, bytes."""
    keep_limit: int = 64 * 1024
    """How much of a refused request is kept, bytes."""
    read_seconds: float = 60.0
    """How long a client may take to send its request."""
    name: str = ""
    """By which the platform knows its own requests again (`adapters.via`); empty: it does not look."""

    @classmethod
    def of(cls, settings: Settings) -> UploadSettings:
        """Take what concerns uploads from the platform's settings. Raises HL7Error for an unknown charset."""
        return cls(Charsets(settings.roster), settings.body_limit, name=pseudonym(settings.consortium_oid))
