"""PIX query HL7 v3 (ITI-45): which identifiers a patient has in the other domains (ITI TF-2 3.45.4.2.3)."""

from __future__ import annotations

from collections.abc import Sequence

from api.caller import Caller
from api.pixpdq.asked import Asked, transaction
from bus.hl7v3 import answering, asking
from bus.hl7v3.elements import Element, Problem, ProblemError, identifier, needed
from bus.hl7v3.names import PIX_QUERY
from consortium.access.model import Action, Resource
from consortium.identity.crossing import Identifier, crossed, within


def answer(asked: Asked) -> Element:
    """Answer with identifiers: AA/OK; AA/NF where there is none in the domains wanted; AE/AE with 204 and the
    place where a domain or the identifier is not known.

    Raises:
        StructureError: the message lacks what it is made of.
        ForbiddenError: the sender may not ask; audited.
    """
    caller = asked.caller
    query = needed(asked.message, asking.QUERY)
    query_id = identifier(needed(query, "queryId"))
    ids: Sequence[Identifier] = ()
    problems: Sequence[Problem] = ()
    try:
        ids = _found(asked, caller)
    except ProblemError as error:
        problems = error.problems
        caller.note_failure(f"not answered: {', '.join(one.text for one in problems)}")
        asked.refused(problems)
    outcome = answering.Outcome(query, query_id, problems)
    return answering.pix(asked.answering, outcome, ids, asked.systems)


def _found(asked: Asked, caller: Caller) -> Sequence[Identifier]:
    question = asking.pix(asked.message, asked.systems)
    with asked.parts.statements.connect() as connection:
        found = crossed(connection, question.source)
    if found is None:
        raise asking.unknown_patient(question)
    caller.allow(Resource(person_id=found.person_id))
    ids = within(found.others(question.source), question.targets)
    caller.note(f"{len(ids)} identifiers found", [found.person_id])
    return ids


TRANSACTIONS = (transaction("ITI-45", "/pix/v3", PIX_QUERY, Action.PATIENT_QUERY, answer),)
