"""What the router asks of the consortium's services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import sqlalchemy as sa

from consortium.errors import PermanentError
from consortium.identity import service as identity
from consortium.records import service as records
from consortium.records.model import Change, Provenance


class Event(Protocol):
    """Something of a change that somebody must be told of."""

    @property
    def dedupe_key(self) -> str:
        """What makes it the same event when it is told again."""
        ...

    @property
    def payload(self) -> Mapping[str, Any]:
        """References, never a patient's data."""
        ...


class Applied(Protocol):
    """What became of a change."""

    @property
    def written(self) -> Mapping[str, int]:
        """How many rows are new or say something new, by table."""
        ...

    @property
    def events(self) -> Sequence[Event]:
        """What is to be told."""
        ...


class Effects(Protocol):
    """The services of the consortium, in the caller's transaction."""

    def apply_many(
        self, connection: sa.Connection, changes: Sequence[tuple[Change, Provenance]]
    ) -> Sequence[Applied | PermanentError]:
        """Record changes in order; the error (`code`, `field`) of one that cannot be stands in its place."""
        ...

    def known(self, connection: sa.Connection, facility: str, number: str) -> bool:
        """Whether a campus's patient is known."""
        ...


class Services:
    """The real ones."""

    def apply_many(
        self, connection: sa.Connection, changes: Sequence[tuple[Change, Provenance]]
    ) -> Sequence[Applied | PermanentError]:
        """`consortium.records.service.apply_many`."""
        return records.apply_many(connection, changes)

    def known(self, connection: sa.Connection, facility: str, number: str) -> bool:
        """`consortium.identity.service.known`."""
        return identity.known(connection, facility, number)
