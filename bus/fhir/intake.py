"""Writing what a FHIR request says: its inbox row and its effects in one transaction, before the answer.

The patient's lock is the router's, so a write takes its place in the patient's order. What of that patient is
still on its way, or held, came before: when it is recorded later, it is the older statement
(`consortium.records.versions`) and overwrites nothing of this.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
import sqlalchemy as sa

from bus.delivery.queue import Queued, queued
from bus.envelope import Arrival, Receipt
from bus.fhir.reading.changes import Read
from bus.inbox import accept_in
from bus.partition import patient_key
from bus.router.verdicts import Verdicts
from bus.router.work import LOCK, READY, Row
from bus.rules.onward import Onward
from bus.rules.spec import Form
from bus.rules.versions.model import Deployed
from bus.sources.fhir import PROTOCOL
from bus.sources.opening import decode_text
from bus.sources.rows import parse_rows
from bus.sources.source import Envelope
from consortium.errors import PermanentError
from consortium.records import service
from consortium.records.model import Change, Provenance

CHARSET = "utf-8"
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
        self,
        connection: sa.Connection,
        said: tuple[Read, Sent],
        receipt: Receipt,
        keys: Sequence[int],
        deployed: Deployed | None,
    ) -> service.Applied:
        """Record what a stored request says, all or nothing, tell whom it concerns, and queue it for the
        destinations of the rules that are `deployed`; None: there are none yet.

        Raises:
            RecordError, MergeError: it cannot be recorded; roll back.
            HoldingError: the condition of a rule fails on it; roll back.
            RetryableError: another transaction took a number at the same moment; roll back and try again.
        """
        read, sent = said
        received_at = connection.execute(_RECEIVED, {"id": receipt.id}).scalar_one()
        recorded = list(_recorded(read, receipt.id, received_at))
        outcomes = service.apply_many(connection, recorded)
        verdicts, row = Verdicts(deployed.short if deployed else None), _row(receipt.id, keys, received_at)
        written: Counter[str] = Counter()
        for outcome in outcomes:
            if isinstance(outcome, PermanentError):
                raise outcome
            written.update(outcome.written)
            for event in outcome.events:
                verdicts.event(row, event.dedupe_key, event.payload)
        going = _going(deployed, read, sent) if deployed else []
        rules = dict.fromkeys(one.rule for one in going if one.rule)
        kinds = [change.kind.value for change in read.changes]
        detail = {"kind": ", ".join(kinds), "written": dict(written)}
        verdicts.record(row, ", ".join(rules) or None, detail)
        for change in read.changes:
            verdicts.number(row, change)
        for delivery in _deliveries(connection, going, recorded, keys):
            verdicts.deliver(delivery)
        verdicts.write(connection)
        last = outcomes[-1]
        assert isinstance(last, service.Applied)  # noqa: S101 - narrows: the others were raised
        return last


def _recorded(read: Read, id_: int, received_at: datetime) -> Iterator[tuple[Change, Provenance]]:
    for number, change in enumerate(read.changes, start=1):
        part = number if len(read.changes) > 1 else None
        yield (
            change,
            Provenance(message_id=id_, facility=read.facility, received_at=received_at, part=part),
        )


def _going(deployed: Deployed, read: Read, sent: Sent) -> list[Onward]:
    """Return where each change goes. Raises HoldingError."""
    envelope = Envelope(read.facility, sent.sender, sent.message_type, PROTOCOL, sent.control_id)
    source = parse_rows(decode_text(sent.body, CHARSET), envelope)
    return [deployed.rules.onward(source, read.facility, change.kind.value) for change in read.changes]


def _deliveries(
    connection: sa.Connection,
    going: Sequence[Onward],
    recorded: Sequence[tuple[Change, Provenance]],
    keys: Sequence[int],
) -> Iterator[Queued]:
    """Give what goes to each destination: the request as it came once, and each change by itself."""
    whole: set[str] = set()
    for one, (change, provenance) in zip(going, recorded, strict=bool(going)):
        for sending in one.sendings:
            if sending.send is Form.RAW and sending.to in whole:
                continue
            whole |= {sending.to} if sending.send is Form.RAW else set()
            yield queued(connection, sending, keys, change, provenance)


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
        charset=CHARSET,
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
