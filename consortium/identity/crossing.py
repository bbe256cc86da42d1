"""Which identifiers a person has in the other domains (PIX), in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from consortium.identity import idcard
from consortium.identity.search import PersonSearch, person, search

Domain = Literal["patient", "person", "id_card"]
State = Literal["in use", "retired", "unknown"]
"""Of a campus's number; retired: merged into another, or taken back."""

# A number that is retired for no other has itself in `merged_into`.
_REMOVE = """
WITH removed AS (
  INSERT INTO identity.removal (source_patient_id, message_id, at)
  SELECT id, %(message_id)s, %(at)s FROM identity.source_patient
   WHERE facility = %(facility)s AND number = %(number)s
  ON CONFLICT (source_patient_id) DO UPDATE SET message_id = excluded.message_id, at = excluded.at
  RETURNING source_patient_id, message_id
)
INSERT INTO identity.retirement (source_patient_id, merged_into, message_id)
SELECT source_patient_id, source_patient_id, message_id FROM removed
"""


@dataclass(frozen=True, slots=True)
class Identifier:
    """What somebody is known by in one domain."""

    domain: Domain
    """patient: a campus's number; person: the consortium's own id; id_card: the resident ID card."""
    value: str
    facility: str | None = None
    """The campus; of a patient number alone."""


@dataclass(frozen=True, slots=True)
class Crossed:
    """A person, and everything in use that they are known by."""

    row: dict[str, Any]
    """As `consortium.identity.search` gives people."""
    identifiers: tuple[Identifier, ...]

    @property
    def person_id(self) -> UUID:
        """The golden person."""
        id_: UUID = self.row["id"]
        return id_

    def others(self, asked: Identifier) -> tuple[Identifier, ...]:
        """Return all but the one that was asked with (ITI TF-2 3.45.4.2.2: it is not returned)."""
        own = _canonical(asked)
        return tuple(one for one in self.identifiers if one != own)


def crossed(connection: sa.Connection, asked: Identifier) -> Crossed | None:
    """Return whom an identifier in use is of; None: nobody's.

    A number that was merged into another or taken back by its campus is not in use. An ID card that several
    people show, as a borrowed one, says of nobody who it is.
    """
    row = _row(connection, _canonical(asked))
    if row is None or not row["active"]:
        return None
    known = tuple(in_use(row))
    return Crossed(row, known) if _canonical(asked) in known else None


def in_use(row: dict[str, Any]) -> Iterator[Identifier]:
    """Give what a person is known by: the consortium's id, a valid ID card, the campuses' numbers."""
    yield Identifier("person", str(row["id"]))
    if card := idcard.normalise(row["id_card"]):
        yield Identifier("id_card", card)
    for number in row["identifiers"]:
        if number["active"]:
            yield Identifier("patient", number["number"], number["facility"])


def within(ids: Iterable[Identifier], domains: Sequence[Identifier]) -> tuple[Identifier, ...]:
    """Return the identifiers of some domains, each given as an identifier of it; without any: all."""
    wanted = {(one.domain, one.facility) for one in domains}
    return tuple(one for one in ids if not wanted or (one.domain, one.facility) in wanted)


def state(connection: sa.Connection, facility: str, number: str) -> State:
    """Return whether a campus's number is in use."""
    asked = Identifier("patient", number, facility)
    row = _row(connection, asked)
    if row is None:
        return "unknown"
    return "in use" if asked in in_use(row) else "retired"


def remove(connection: sa.Connection, facility: str, number: str, message_id: int, at: datetime) -> bool:
    """Take a campus's number out of use; its records stay. Anything newer that its campus says of it brings
    it back. Who is told of links is told of both. Returns whether the number was known.
    """
    values = {"facility": facility, "number": number, "message_id": message_id, "at": at}
    return connection.exec_driver_sql(_REMOVE, values).rowcount == 1


def _canonical(asked: Identifier) -> Identifier:
    if asked.domain == "id_card":
        return Identifier("id_card", idcard.normalise(asked.value) or "")
    if asked.domain == "person":
        return Identifier("person", asked.value.lower())
    return asked


def _row(connection: sa.Connection, asked: Identifier) -> dict[str, Any] | None:
    if asked.domain == "person":
        try:
            return person(connection, UUID(asked.value))
        except ValueError:
            return None
    if asked.domain == "id_card":
        wanted = PersonSearch(id_card=asked.value, limit=2)
    else:
        wanted = PersonSearch(number=asked.value, facility=asked.facility, limit=2)
    found = search(connection, wanted).rows
    return found[0] if len(found) == 1 else None
