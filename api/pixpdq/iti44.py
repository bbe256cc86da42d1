"""Patient Identity Feed HL7 v3 (ITI-44): added, revised, merged; committed before it is acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256

from lxml import etree
from pydantic import ValidationError

from adapters.ihe.counts import Fate
from api.caller import Caller
from api.pixpdq.asked import PROTOCOL, Asked, transaction
from bus.envelope import Arrival
from bus.feed import Feed, ReusedIdError, take
from bus.hl7v3 import answering, feeding
from bus.hl7v3.elements import Element, Problem, ProblemError, needed
from bus.hl7v3.names import ADD, MERGE, REVISE, tag
from consortium.access.model import Action
from consortium.access.model import Resource as Owned
from consortium.identity.model import MergeError
from consortium.records.errors import RecordError
from consortium.records.model import Change

LONGEST_ID = 200
"""Characters of a message's id."""


def answer(asked: Asked) -> Element:
    """Record what is said and acknowledge it: CA, or CE with what is wrong.

    Raises:
        StructureError: the message lacks what it is made of.
        ForbiddenError: the account feeds no campus; audited.
        RetryableError: try again.
    """
    caller = asked.caller
    caller.allow(Owned(organisation=caller.user.organisation))
    try:
        _record(asked, caller)
    except ProblemError as error:
        problems: Sequence[Problem] = error.problems
    except (RecordError, MergeError, ReusedIdError) as error:
        problems = [Problem(error.code, str(error), f"/{asked.heading.interaction}")]
    else:
        return answering.acknowledged(asked.answering, "CA")
    asked.refused(problems)
    caller.note_failure(f"not taken: {', '.join(one.code for one in problems)}")
    return answering.acknowledged(asked.answering, "CE", problems)


def _record(asked: Asked, caller: Caller) -> None:
    settings = asked.parts.settings
    change = _change(asked, caller.user.organisation)
    feed = Feed(_arrival(asked, change), change)
    with asked.parts.engine.begin() as connection:
        taken = take(connection, feed, settings.routing_key, timedelta(days=settings.dedupe_days))
        reason = (
            f"{change.kind.value} {'written' if taken.new else 'known already'}, message {taken.message_id}"
        )
        persons = [taken.person_id] if taken.person_id else []
        caller.note_in(connection, reason, persons, caller.resource)


def _change(asked: Asked, facility: str) -> Change:
    try:
        return feeding.change(asked.message, asked.heading.interaction, facility, asked.systems)
    except ValidationError as error:
        where = f"/{asked.heading.interaction}/{feeding.EVENT}/subject1/patient"
        found = error.errors(include_input=False, include_context=False, include_url=False)
        names = [".".join(map(str, one["loc"])) for one in found]
        raise ProblemError(*(Problem("SYN102", f"{name}: not kept so", where) for name in names)) from None


def _arrival(asked: Asked, change: Change) -> Arrival:
    heading, act = asked.heading, needed(asked.message, "controlActProcess")
    return Arrival(
        facility=asked.caller.user.organisation,
        sender=heading.sender.text,
        control_id=heading.id.text[:LONGEST_ID],
        message_type=asked.type,
        body=asked.body,
        charset="utf-8",
        protocol=PROTOCOL,
        endpoint=asked.address,
        # without the wrapper: a retry has another creationTime
        digest=sha256(etree.tostring(act, method="c14n", exclusive=True, with_tail=False)).digest(),
        patient_number=change.patient.number,
        other_patient_number=change.merge.retired if change.merge else None,
        message_time=heading.created,
    )


def _fate(acknowledgement: Element) -> Fate:
    code = acknowledgement.find(f"{tag('acknowledgement')}/{tag('typeCode')}")
    return Fate.ACCEPTED if code is not None and code.get("code") == "CA" else Fate.REFUSED


TRANSACTIONS = tuple(
    transaction("ITI-44", "/pix/v3", one, Action.RECORD_WRITE, answer, fate=_fate)
    for one in (ADD, REVISE, MERGE)
)
