"""Identity feeds: statements about one patient whose effect is committed before they are answered.

No rule is asked: the profile that carries the statement says what it means. As every message it has its row
in the inbox, bytes and all, and takes its place in the patient's order under the router's lock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa

from bus.envelope import Arrival, Outcome
from bus.inbox import accept_in
from bus.partition import patient_key
from bus.router.verdicts import Verdicts
from bus.router.work import LOCK, READY, Row
from consortium.errors import PermanentError
from consortium.identity import crossing
from consortium.identity import service as identity
from consortium.records import service
from consortium.records.model import Change, Provenance

_RECEIVED = sa.text("SELECT received_at FROM bus.inbox WHERE id = :id")


class ReusedIdError(PermanentError):
    """A message whose id came before with other content."""

    code = "control_id_reused"


@dataclass(frozen=True, slots=True)
class Feed:
    """A statement as it came."""

    arrival: Arrival
    change: Change | None
    """None: the patient's number is taken out of use."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of it."""

    message_id: int
    person_id: UUID | None
    """The golden person now; None for a number that nobody knows."""
    new: bool
    """False: it came before, and has no second effect."""


def take(connection: sa.Connection, feed: Feed, routing_key: str, window: timedelta) -> Taken:
    """Store a statement and record what it says, in the caller's transaction (READ COMMITTED).

    Raises:
        ReusedIdError: its id came before with other content; roll back.
        RecordError, MergeError: it cannot be recorded; roll back.
        RetryableError: another transaction took a number at the same moment; roll back and try again.
    """
    arrival = feed.arrival
    number = arrival.patient_number or ""
    numbers = [one for one in (number, arrival.other_patient_number) if one]
    keys = tuple(patient_key(arrival.facility, one, routing_key) for one in numbers)
    connection.execute(LOCK, {"keys": sorted(keys)})
    driver: Any = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - narrows: our engines are psycopg's
    [receipt] = accept_in(driver, [arrival], routing_key=routing_key, window=window)
    if receipt.outcome is Outcome.CONFLICT:
        raise ReusedIdError("its id came before with other content: give what is new an id of its own")
    if receipt.outcome is Outcome.STORED:
        _record(connection, feed, number, receipt.id, keys)
    person = identity.person_of(connection, arrival.facility, number)
    return Taken(receipt.id, person, receipt.outcome is Outcome.STORED)


def _record(
    connection: sa.Connection, feed: Feed, number: str, message_id: int, keys: tuple[int, ...]
) -> None:
    facility = feed.arrival.facility
    received_at = connection.execute(_RECEIVED, {"id": message_id}).scalar_one()
    row = Row(
        message_id, keys, READY, 0, None, early=False, size=0, received_at=received_at, place=message_id
    )
    verdicts = Verdicts()
    if feed.change is None:
        removed = crossing.remove(connection, facility, number, message_id, received_at)
        verdicts.record(row, None, {"kind": "removal", "written": {"removal": int(removed)}})
    else:
        provenance = Provenance(message_id=message_id, facility=facility, received_at=received_at)
        applied = service.apply(connection, feed.change, provenance)
        for event in applied.events:
            verdicts.event(row, event.dedupe_key, event.payload)
        verdicts.record(row, None, {"kind": feed.change.kind.value, "written": dict(applied.written)})
    verdicts.write(connection)
