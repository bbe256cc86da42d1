"""Writing what a FHIR request says: its inbox row and its effects in one transaction, before the answer.

The patient's lock is the router's, so a write takes its place in the patient's order. What of that patient is
still on its way, or held, came before: when it is recorded later, it is the older statement
(`consortium.records.versions`) and overwrites nothing of this.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
import sqlalchemy as sa

from bus.envelope import Arrival, Receipt
from bus.fhir.reading.changes import Read
from bus.inbox import accept_in
from bus.partition import patient_key
from bus.router.verdicts import Verdicts
from bus.router.work import LOCK, READY, Row
from consortium.errors import PermanentError
from consortium.records import service
from consortium.records.model import Provenance

PROTOCOL = "fhir"
_RECEIVED = sa.text("SELECT received_at FROM bus.inbox WHERE id = :id")


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it came."""

    body: bytes
    message_type: str
    """`fhir:transaction`, `fhir:message`, `fhir:Patient` …"""
    endpoint: str
    sender: str
    control_id: str
    """By which the sender knows it; the same again has no second effect."""
    sent_at: str | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes FHIR writes into a database."""

    routing_key: str
    window: timedelta
    """How long a control id stays known."""

    def lock(self, connection: sa.Connection, read: Read) -> tuple[int, ...]:
        """Lock the patient, both of a merge, as the router does. Returns their keys, the patient's first."""
        numbers = [read.patient, *([read.retired] if read.retired else [])]
        keys = tuple(patient_key(read.facility, number, self.routing_key) for number in numbers)
        connection.execute(LOCK, {"keys": sorted(keys)})
        return keys

    def store(self, connection: sa.Connection, read: Read, sent: Sent) -> Receipt:
        """Put the request in the inbox, under the patient's lock."""
        driver: Any = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101 - narrows: our engines are psycopg's
        [receipt] = accept_in(
            driver, [_arrival(read, sent)], routing_key=self.routing_key, window=self.window
        )
        return receipt

    def apply(
        self, connection: sa.Connection, read: Read, receipt: Receipt, keys: Sequence[int]
    ) -> service.Applied:
        """Record what a stored request says, all or nothing, and tell whom it concerns.

        Raises:
            RecordError, MergeError: it cannot be recorded; roll back.
            RetryableError: another transaction took a number at the same moment; roll back and try again.
        """
        received_at = connection.execute(_RECEIVED, {"id": receipt.id}).scalar_one()
        provenance = Provenance(message_id=receipt.id, facility=read.facility, received_at=received_at)
        outcomes = service.apply_many(connection, [(change, provenance) for change in read.changes])
        verdicts, row = Verdicts(), _row(receipt.id, keys, received_at)
        written: Counter[str] = Counter()
        for outcome in outcomes:
            if isinstance(outcome, PermanentError):
                raise outcome
            written.update(outcome.written)
            for event in outcome.events:
                verdicts.event(row, event.dedupe_key, event.payload)
        kinds = [change.kind.value for change in read.changes]
        verdicts.record(row, None, {"kind": ", ".join(kinds), "written": dict(written)})
        for change in read.changes:
            verdicts.number(row, change)
        verdicts.write(connection)
        last = outcomes[-1]
        assert isinstance(last, service.Applied)  # noqa: S101 - narrows: the others were raised
        return last


def _row(id_: int, keys: Sequence[int], received_at: datetime) -> Row:
    return Row(id_, tuple(keys), READY, 0, None, early=False, size=0, received_at=received_at, place=id_)


def _arrival(read: Read, sent: Sent) -> Arrival:
    visits = {change.encounter.number for change in read.changes if change.encounter}
    return Arrival(
        facility=read.facility,
        sender=sent.sender,
        control_id=sent.control_id,
        message_type=sent.message_type,
        body=sent.body,
        charset="utf-8",
        protocol=PROTOCOL,
        endpoint=sent.endpoint,
        digest=digest(sent.body),
        patient_number=read.patient,
        other_patient_number=read.retired,
        visit_number=visits.pop() if len(visits) == 1 else None,
        message_time=sent.sent_at,
    )


_RETRIED = ("timestamp",)
"""What a retry changes of a Bundle."""


def digest(body: bytes) -> bytes:
    """Hash the content of a resource, whatever the order of its keys and blanks."""
    value = json.loads(body, parse_float=str)
    content = {key: item for key, item in value.items() if key not in _RETRIED}
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()
