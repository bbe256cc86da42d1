"""A feed's inbox row and its effects in one transaction, under the patients' locks of the router."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
import sqlalchemy as sa

from bus.envelope import Arrival, Outcome, Receipt
from bus.hl7.header import Header
from bus.hl7.problem import DATA_TYPE, UNKNOWN_KEY
from bus.inbox import accept_in
from bus.partition import patient_key
from bus.pix import linking
from bus.pix.feed import Feed, Stated
from bus.pix.problem import DUPLICATE_KEY, Fault, FaultsError
from bus.router.verdicts import Verdicts
from bus.router.work import LOCK, READY, Row
from consortium.errors import PermanentError
from consortium.identity import service as identity
from consortium.identity.model import MergeError
from consortium.records import service
from consortium.records.model import Provenance

_RECEIVED = sa.text("SELECT received_at FROM bus.inbox WHERE id = :id")
_MERGED = sa.text(
    "SELECT EXISTS (SELECT FROM identity.source_patient r"
    " JOIN identity.source_patient s ON r.merged_into = s.id"
    " WHERE r.facility = :facility AND r.number = :retired AND s.number = :surviving)"
)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a feed."""

    message_id: int
    repeated: bool
    persons: tuple[uuid.UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes feeds into a database."""

    routing_key: str
    window: timedelta
    """How long a control id stays known."""
    endpoint: str

    def take(self, connection: sa.Connection, feed: Feed, header: Header, raw: bytes, who: str) -> Taken:
        """Store a feed and do what it states, all or nothing; the same again has no second effect.

        Raises:
            FaultsError: it cannot be; roll back.
            RetryableError: another transaction took a number at the same moment; roll back and try again.
        """
        keys = [patient_key(*number, self.routing_key) for number in feed.numbers]
        connection.execute(LOCK, {"keys": sorted(set(keys))})
        receipt = self._store(connection, feed, header, raw)
        if receipt.outcome is Outcome.CONFLICT:
            reason = "MSH-10 was used before with other content: give what is new a control id of its own"
            raise FaultsError(Fault(DUPLICATE_KEY, ("MSH", 1, 10), "control_id_conflict", reason))
        if receipt.outcome is Outcome.DUPLICATE:
            return Taken(receipt.id, repeated=True)
        received_at = connection.execute(_RECEIVED, {"id": receipt.id}).scalar_one()
        verdicts = Verdicts()
        row = _row(receipt.id, keys, received_at)
        if feed.linked is not None:
            detail, persons = linking.apply(connection, feed.linked, who, header.control_id)
        else:
            detail, persons = self._apply(connection, feed, receipt.id, received_at)
        told = {"kind": f"{feed.transaction.value} {feed.event}", **detail}
        verdicts.record(row, None, told)
        verdicts.write(connection)
        return Taken(receipt.id, repeated=False, persons=persons)

    def _store(self, connection: sa.Connection, feed: Feed, header: Header, raw: bytes) -> Receipt:
        driver: Any = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101 - narrows: our engines are psycopg's
        arrival = _arrival(feed, header, raw, self.endpoint)
        [receipt] = accept_in(driver, [arrival], routing_key=self.routing_key, window=self.window)
        return receipt

    def _apply(
        self, connection: sa.Connection, feed: Feed, message_id: int, received_at: datetime
    ) -> tuple[dict[str, Any], tuple[uuid.UUID, ...]]:
        for one in feed.stated:
            if one.renamed:
                _check_new(connection, one)
        changes = [
            (one.change, Provenance(message_id=message_id, facility=one.facility, received_at=received_at))
            for one in feed.stated
        ]
        written: Counter[str] = Counter()
        persons = []
        for outcome in service.apply_many(connection, changes):
            if isinstance(outcome, PermanentError):
                raise _refused(outcome) from outcome
            written.update(outcome.written)
            persons.append(outcome.person_id)
        return {"written": dict(written)}, tuple(dict.fromkeys(persons))


def _check_new(connection: sa.Connection, stated: Stated) -> None:
    """See that a changed number is new, and the one it replaces known (A47)."""
    merge = stated.change.merge
    assert merge is not None  # noqa: S101 - an A47 has one
    values = {"facility": stated.facility, "retired": merge.retired, "surviving": merge.surviving}
    if connection.execute(_MERGED, values).scalar_one():
        return
    if not identity.known(connection, stated.facility, merge.retired):
        reason = "the number in MRG-1 is not known: there is nothing to change"
        raise FaultsError(Fault(UNKNOWN_KEY, ("MRG", 1, 1, 1, 1), "unknown_number", reason))
    if identity.known(connection, stated.facility, merge.surviving):
        reason = "the number in PID-3 is known as another patient's: to make the two one, send A40"
        raise FaultsError(Fault(DUPLICATE_KEY, ("PID", 1, 3, 1, 1), "known_number", reason))


def _refused(error: PermanentError) -> FaultsError:
    code = getattr(error, "code", "not_recordable")
    segment = "MRG" if isinstance(error, MergeError) else "PID"
    condition = UNKNOWN_KEY if isinstance(error, MergeError) else DATA_TYPE
    return FaultsError(Fault(condition, (segment, 1), str(code), str(error)))


def _arrival(feed: Feed, header: Header, raw: bytes, endpoint: str) -> Arrival:
    first, *others = [number for facility, number in feed.numbers if facility == header.facility]
    return Arrival(
        facility=header.facility,
        # A HIS may send one message to this endpoint and to another, which records its visit: two messages.
        sender=f"{header.sender}/{endpoint}",
        control_id=header.control_id,
        message_type=header.message_type,
        body=raw,
        charset=header.codec,
        protocol="mllp",
        endpoint=endpoint,
        digest=header.digest,
        patient_number=first,
        other_patient_number=others[0] if others else None,
        message_time=header.message_time,
    )


def _row(id_: int, keys: list[int], received_at: datetime) -> Row:
    return Row(id_, tuple(keys[:2]), READY, 0, None, early=False, size=0, received_at=received_at, place=id_)
