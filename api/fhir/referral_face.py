"""Referrals as FHIR shows them: ServiceRequest, Task, Appointment and Communication.

Each is under the rights that `/api/v1/referrals` asks for, and each patient shown is audited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy import Connection

from api.caller import Caller
from api.failures import not_found
from api.fhir.bundle import Found
from api.fhir.parameters import Control, Query, control, reference_id, uuid_or_none
from api.fhir.wrong import wrong_value
from bus.fhir.resources import referral
from bus.fhir.shapes import Resource, Row
from bus.fhir.systems import Systems
from consortium.access.model import Action, Role
from consortium.access.model import Resource as Asked
from consortium.referral import applying, searching, store
from consortium.referral.errors import UnknownReferralError
from consortium.referral.model import State
from consortium.referral.parties import party_of, resource_of
from consortium.referral.searching import Search

Make = Callable[[Connection, Row, Systems], Resource | None]


def _service_request(connection: Connection, row: Row, systems: Systems) -> Resource:
    documents = [one["document_id"] for one in applying.documents(connection, row["id"])]
    return referral.service_request(row, documents, systems)


MAKE: Mapping[str, Make] = {
    "ServiceRequest": _service_request,
    "Task": lambda _connection, row, systems: referral.task(row, systems),
    "Appointment": lambda _connection, row, systems: referral.appointment(row, systems),
}
_TIMES = {"ServiceRequest": "authored", "Task": "authored-on"}


def is_about(kind: str, query: Query) -> bool:
    """Tell whether a search of ServiceRequest or Appointment is about referrals, and not about records."""
    if kind == "Appointment":
        return any(one.name == "based-on" for one in query.given)
    if kind != "ServiceRequest":
        return False
    given = [one.value for one in query.given if one.name == "category"]
    return any(part.rpartition("|")[2] == referral.CATEGORY for value in given for part in value.split(","))


def read(caller: Caller, kind: str, id_: UUID) -> Resource:
    """Return one resource of a referral. Raises FailureError (404), ForbiddenError."""
    with caller.parts.statements.connect() as connection:
        row = _row(caller, connection, kind, id_)
        made = MAKE[kind](connection, row, Systems(caller.parts.settings))
    if made is None:
        raise not_found(kind)
    caller.note("referral shown", _persons([row]), action=Action.REFERRAL_READ)
    return made


def find(caller: Caller, kind: str, query: Query) -> tuple[Found, Control]:
    """Return what a search finds among the referrals of the caller's hospital, or the patient's own."""
    wanted = _wanted(caller, kind, query)
    page = control(query, ())
    query.rest()
    asked = replace(wanted, limit=page.count, after=page.cursor)
    systems = Systems(caller.parts.settings)
    with caller.parts.statements.connect() as connection:
        total = searching.count(connection, wanted) if page.only_count or page.total else None
        if page.only_count:
            return Found([], total=total), page
        rows = searching.search(connection, asked)
        made = [MAKE[kind](connection, row, systems) for row in rows.rows]
    caller.note("referrals shown", _persons(rows.rows), action=Action.REFERRAL_READ)
    return Found([one for one in made if one], rows.after, total), page


def messages(caller: Caller, query: Query) -> tuple[Found, Control]:
    """Return what both hospitals of a referral wrote to each other, the oldest first."""
    one = query.one("based-on")
    if one is None:
        raise wrong_value("based-on", "give the ServiceRequest of a referral, whose messages they are")
    page = control(query, ())
    query.rest()
    id_ = reference_id("based-on", "ServiceRequest", one.value)
    with caller.parts.statements.connect() as connection:
        row = _row(caller, connection, "ServiceRequest", id_) if id_ else None
        if row is None or caller.user.role is Role.PATIENT:  # what hospitals write is for hospitals
            return Found([], total=0), page
        thread = applying.thread(connection, row["id"])
    caller.note("thread read", _persons([row]), action=Action.REFERRAL_READ)
    return _paged(thread, row, page, Systems(caller.parts.settings)), page


def _paged(thread: Sequence[Row], row: Row, page: Control, systems: Systems) -> Found:
    if page.only_count:
        return Found([], total=len(thread))
    begin = next((n + 1 for n, one in enumerate(thread) if str(one["id"]) == page.cursor), 0)
    shown = thread[begin : begin + page.count]
    more = begin + len(shown) < len(thread) and bool(shown)
    made = [referral.communication(one, row, systems) for one in shown]
    return Found(made, str(shown[-1]["id"]) if more else None, len(thread))


def _row(caller: Caller, connection: Connection, kind: str, id_: UUID) -> Row:
    """Return a referral that the caller is a party of; one of others is not there for them."""
    try:
        row = store.get(connection, id_)
    except UnknownReferralError:
        raise not_found(kind) from None
    caller.allow(resource_of(caller.user, row), Action.REFERRAL_READ)
    if party_of(caller.user, row) is None:
        raise not_found(kind)
    return row


def _wanted(caller: Caller, kind: str, query: Query) -> Search:
    user = caller.user
    caller.allow(Asked(organisation=user.organisation, person_id=user.person_id), Action.REFERRAL_READ)
    if kind == "ServiceRequest":
        _only_referrals(query)
    span = query.span(_TIMES[kind]) if kind in _TIMES else None
    return Search(
        whose=user.person_id or user.organisation,
        ids=_ids(query, "based-on" if kind == "Appointment" else "focus"),
        person=_person(query),
        states=_states(kind, query),
        with_time=kind == "Appointment",
        since=span.since if span else None,
        before=span.before if span else None,
    )


def _only_referrals(query: Query) -> None:
    if {token.code for token in query.tokens("category")} != {referral.CATEGORY}:
        raise wrong_value("category", f"ask for referrals ({referral.CATEGORY}) by themselves")


def _ids(query: Query, reference: str) -> tuple[UUID, ...] | None:
    found: set[UUID] | None = None
    if values := query.values("_id"):
        found = {id_ for id_ in map(uuid_or_none, values) if id_}
    if one := query.one(reference):
        id_ = reference_id(reference, "ServiceRequest", one.value)
        those = {id_} if id_ else set()
        found = those if found is None else found & those
    return None if found is None else tuple(found)


def _person(query: Query) -> UUID | None:
    found = {
        reference_id(name, "Patient", one.value) or UUID(int=0)
        for name in ("patient", "subject")
        if (one := query.one(name, ("Patient",)))
    }
    if len(found) > 1:
        return UUID(int=0)
    return next(iter(found), None)


def _states(kind: str, query: Query) -> tuple[str, ...] | None:
    statuses = {token.code for token in query.tokens("status")}
    own = {token.code for token in query.tokens("business-status")} if kind == "Task" else set()
    if not statuses and not own:
        return None
    return tuple(
        state.value
        for state in State
        if (not statuses or _status(kind, state) in statuses) and (not own or state in own)
    )


def _status(kind: str, state: State) -> str:
    by_kind = {
        "Task": referral.TASK_STATUSES.__getitem__,
        "ServiceRequest": referral.request_status,
        "Appointment": referral.appointment_status,
    }
    return by_kind[kind](state)


def _persons(rows: Sequence[Row]) -> list[UUID]:
    return sorted({row["person_id"] for row in rows if row["person_id"]})
