"""Destinations of a rule's test: built and shaped as delivery does, answered as the test says.

Nothing is sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from adapters.exchange import verdict
from adapters.mllp.links import control_id, verdicts
from adapters.rest.outbound import address, body
from bus.delivery.building import built
from bus.delivery.decide import Attempt, Result, State
from bus.delivery.queue import BUILT, canonical
from bus.delivery.shaping import JSON_FORMS, as_json, filled, leaf, opened, parts
from bus.delivery.snapshot import snapshot
from bus.delivery.transport import Answer, NotSentError, Outgoing, UnansweredError, UnsendableError, Verdict
from bus.fhir.systems import Systems
from bus.rules.delivering import Case, NoSuchAnswerError, NotBuiltError, Sent
from bus.rules.destinations import (
    AnyDestination,
    FilesDestination,
    MllpDestination,
    RestDestination,
    SoapDestination,
    TablesDestination,
)
from bus.rules.spec import Fate, Form
from consortium.records.model import Provenance

AT = datetime(2026, 1, 1, tzinfo=UTC)
"""When every message of a test arrives and is sent: tests say the same whenever they run."""
NUMBER = 1
"""Id of every message and delivery of a test."""
TIMEOUT, UNREACHABLE, WRITTEN = "timeout", "unreachable", "written"
ACKNOWLEDGEMENTS = ("AA", "AE", "AR", "CA", "CE", "CR")
_FATES: Mapping[State, Fate] = {
    State.DELIVERED: "delivered",
    State.PARKED: "parked",
    State.QUEUED: "retried",
    State.AMBIGUOUS: "ambiguous",
}


class MockedDelivery:
    """`bus.rules.delivering.Deliveries`."""

    def __init__(self, systems: Systems) -> None:
        """`systems`: the identifier systems of the consortium, for what is built as FHIR or HL7 v2."""
        self._systems = systems

    def sent(self, to: AnyDestination, case: Case) -> Sent:
        """Return what is sent; see `Deliveries`.

        What a rule sends as FHIR or HL7 is built of the change alone: the records that delivery completes it
        with are not there in a test. A SOAP envelope is not held against its WSDL, nor a row against its
        table: tests have no network.
        """
        try:
            return _shown(to, self._outgoing(to, case))
        except UnsendableError as error:
            raise NotBuiltError(error.code, str(error)) from error

    def becomes(self, to: AnyDestination, case: Case, answer: str | None) -> Fate | None:
        """Return what becomes of the first try; see `Deliveries`."""
        result = None if answer is None else answered(to, answer)
        try:
            _shown(to, self._outgoing(to, case))
        except UnsendableError as error:
            result = error
        if result is None:
            return None
        return _FATES[Attempt(to, refusals=0, tried_at=None, now=AT, chance=0.0).decide(result).state]

    def _outgoing(self, to: AnyDestination, case: Case) -> Outgoing:
        message = Outgoing(
            NUMBER, 1, NUMBER, case.envelope.message_type, case.charset, case.form, _kept(case), AT
        )
        return built(message, to, self._systems)


def _kept(case: Case) -> bytes:
    """Return what the queue keeps of it."""
    if case.form is Form.RAW:
        return case.body
    source = Provenance(
        message_id=NUMBER,
        facility=case.envelope.facility,
        received_at=AT,
        source_version=case.version,
        part=case.part,
    )
    return snapshot(case.change, source) if case.form in BUILT else canonical(case.change, source)


def _shown(to: AnyDestination, message: Outgoing) -> Sent:
    match to:
        case RestDestination():
            address(to, message)  # a message that lacks what it names is parked
            if to.body is not None:
                return _object(body(to, message))
        case SoapDestination() if to.arguments is not None:
            return _object(as_json(filled(to.arguments, message)))
        case TablesDestination():
            return _rows(to, message)
        case MllpDestination():
            control_id(message.body)  # what is no HL7 is parked
    return _object(message.body) if message.form in JSON_FORMS else opened(message)


def _object(text: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def _rows(to: TablesDestination, message: Outgoing) -> list[Any]:
    rows = [
        {name: leaf(column, part, message, name) for name, column in to.columns.items()}
        for part in parts(to.each, message)
    ]
    for row in rows:
        if missing := [name for name in to.key if row[name] is None]:
            raise UnsendableError("missing", f"column {missing[0]} needs a value, and the message has none")
    found: list[Any] = json.loads(as_json(rows))
    return found


def answered(to: AnyDestination, answer: str) -> Result:
    """Return what an attempt says when a destination answers so. Raises NoSuchAnswerError."""
    if answer == TIMEOUT:
        return UnansweredError("no answer to it in time")
    if answer == UNREACHABLE:
        return NotSentError("no connection")
    match to:
        case MllpDestination():
            return _acknowledged(to, answer)
        case TablesDestination() | FilesDestination():
            if answer != WRITTEN:
                raise NoSuchAnswerError(
                    f"a table, or a place for files, answers {WRITTEN}, {TIMEOUT} or {UNREACHABLE}"
                )
            return Answer(Verdict.TAKEN, WRITTEN, b"")
    if not (answer.isdecimal() and 200 <= int(answer) <= 599):
        raise NoSuchAnswerError(
            f"an HTTP destination answers a status from 200 to 599, {TIMEOUT} or {UNREACHABLE}"
        )
    also = isinstance(to, RestDestination) and int(answer) in to.also_taken
    return Answer(Verdict.TAKEN if also else verdict(int(answer)), answer, b"")


def _acknowledged(to: MllpDestination, answer: str) -> Result:
    if answer not in ACKNOWLEDGEMENTS:
        known = ", ".join(ACKNOWLEDGEMENTS)
        raise NoSuchAnswerError(f"an MLLP destination answers {known}, {TIMEOUT} or {UNREACHABLE}")
    meaning = verdicts(to.acknowledgement).get(answer.encode())
    if meaning is None:
        return UnansweredError(f"{answer} ends no delivery where the application's answer is waited for")
    return Answer(meaning, answer, b"")
