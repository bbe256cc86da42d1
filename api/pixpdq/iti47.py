"""Patient demographics query HL7 v3 (ITI-47): patients who fit, page by page (ITI TF-2 3.47.4)."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from api.caller import Caller
from api.pixpdq.asked import CONTINUED, Asked, transaction
from bus.hl7v3 import answering, asking
from bus.hl7v3.answering import Counts, Outcome
from bus.hl7v3.asking import LARGEST, PdqQuestion
from bus.hl7v3.elements import Element, Id, Problem, ProblemError, identifier, needed
from bus.hl7v3.names import CANCEL, CONTINUE, PDQ_QUERY, UNKNOWN_KEY, tag
from bus.sources.xml_parser import parse_xml
from consortium.access.model import Action
from consortium.access.policy import Reach
from consortium.identity import continuing
from consortium.identity.continuing import Continued
from consortium.identity.crossing import in_use, within
from consortium.identity.search import Held, People, PersonSearch, count, search


def answer(asked: Asked) -> Element:
    """Answer a query, go on with one, or end it.

    Raises:
        StructureError: the message lacks what it is made of.
        ForbiddenError: the sender may not ask; audited.
    """
    caller = asked.caller
    if asked.heading.interaction in (CONTINUE, CANCEL):
        return _continued(asked, caller)
    query = needed(asked.message, asking.QUERY)
    query_id = identifier(needed(query, "queryId"))
    try:
        question = asking.pdq(asked.message, asked.systems)
    except ProblemError as error:
        return _failed(asked, caller, Outcome(query, query_id, error.problems))
    return _page(asked, caller, query, question, None)


def _continued(asked: Asked, caller: Caller) -> Element:
    wanted = asking.continuation(asked.message, asked.heading.interaction == CANCEL)
    owner, key = caller.user.username, wanted.query_id.text
    text = "no rest is kept of such a query: it never was, is at its end, or was too long ago; ask anew"
    unknown = Problem(UNKNOWN_KEY, text, wanted.location)
    if wanted.cancel:
        with asked.parts.engine.begin() as connection:
            there = continuing.drop(connection, owner, key)
        caller.note("query ended" if there else "no such query to end")
        return answering.acknowledged(asked.answering, "AA" if there else "AE", () if there else [unknown])
    with asked.parts.engine.begin() as connection:
        continued = continuing.load(connection, owner, key, asked.parts.now())
    if continued is None:
        return _failed(asked, caller, Outcome(None, wanted.query_id, [unknown]))
    message = next(parse_xml(continued.asked).iter(tag(PDQ_QUERY)))
    question = replace(asking.pdq(message, asked.systems), quantity=wanted.quantity)
    return _page(asked, caller, needed(message, asking.QUERY), question, continued)


def _failed(asked: Asked, caller: Caller, outcome: Outcome) -> Element:
    caller.note_failure(f"not answered: {', '.join(one.text for one in outcome.problems)}")
    asked.refused(outcome.problems)
    return answering.pdq(asked.answering, outcome, [], asked.systems)


def _page(
    asked: Asked, caller: Caller, query: Element, question: PdqQuestion, continued: Continued | None
) -> Element:
    wanted = _reached(caller, question.wanted)
    page = replace(wanted, limit=question.quantity or LARGEST, after=continued.after if continued else None)
    with asked.parts.engine.begin() as connection:
        total, people = count(connection, wanted), search(connection, page)
        shown = (continued.shown if continued else 0) + len(people.rows)
        body = continued.asked if continued else asked.body
        _keep(connection, asked, question.query_id, body, people, shown)
    known = [(row, tuple(in_use(row))) for row in people.rows]
    # who has nothing in the domains wanted is shown by the consortium's own id
    rows = [(row, within(ids, question.domains) or ids[:1]) for row, ids in known]
    caller.note(f"{len(rows)} patients found", sorted(row["id"] for row in people.rows))
    counts = Counts(total, len(rows), max(total - shown, 0) if people.after else 0)
    outcome = Outcome(query, question.query_id, counts=counts)
    return answering.pdq(asked.answering, outcome, rows, asked.systems)


def _reached(caller: Caller, wanted: PersonSearch) -> PersonSearch:
    """Narrow a search to what the sender may see."""
    wanted = replace(wanted, vips=caller.finds_vips())
    own = caller.user.person_id
    if caller.reach() is not Reach.OWN or own is None:
        return wanted
    return replace(wanted, held=(*wanted.held, (Held(person=own),)))


def _keep(
    connection: sa.Connection, asked: Asked, query_id: Id, body: bytes, people: People, shown: int
) -> None:
    """Keep where the query goes on, or forget it at its end."""
    owner = asked.caller.user.username
    if people.after is None:
        continuing.drop(connection, owner, query_id.text)
        return
    continued = Continued(body, people.after, shown)
    continuing.save(connection, owner, query_id.text, continued, asked.parts.now())


TRANSACTIONS = tuple(
    transaction("ITI-47", "/pdq/v3", one, Action.PATIENT_QUERY, answer)
    for one in (PDQ_QUERY, CONTINUE, CONTINUED, CANCEL)
)
