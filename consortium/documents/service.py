"""The registry of shared documents, in the caller's transaction (READ COMMITTED).

Whoever calls has asked `consortium.access` and audits; `Found.persons` and `Registered.person` say about
whom.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from consortium.access.model import User
from consortium.documents.asking import StoredQuery
from consortium.documents.errors import RegistryError
from consortium.documents.model import Found, Submission


@dataclass(frozen=True, slots=True)
class Registered:
    """What was registered: as submitted, with UUIDs for symbolic ids and lastUpdateTime set."""

    submission: Submission
    person: UUID
    """The golden person whom it is about."""
    warnings: tuple[RegistryError, ...] = ()


def register(connection: sa.Connection, submission: Submission, caller: User, now: datetime) -> Registered:
    """Register a submission, all or nothing; effects are in the caller's transaction.

    Raises:
        RefusedError: with every mistake that was found; nothing was written.
    """
    raise NotImplementedError


def find(connection: sa.Connection, query: StoredQuery) -> Found:
    """Answer a stored query; whole objects also where references are asked for: `Found.ids` are those.

    Raises:
        RefusedError: an unknown query, a missing or wrong parameter, too many results.
    """
    raise NotImplementedError
