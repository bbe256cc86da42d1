"""Referrals (双向转诊): begin one, find them, and what waits for one's role."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID, uuid5

from fastapi import APIRouter, Depends, Header, Query
from sqlalchemy import Connection

from activities.referrals import begin as start_workflow
from api.caller import Caller, gate
from api.failures import Failure, FailureError
from api.hospitals import require_hospital
from api.v1.referral_shapes import (
    Approved,
    Begin,
    Child,
    Document,
    Referrals,
    Shown,
    Summary,
    Taken,
    Worklist,
)
from consortium.access.model import GROUP, Action, Resource, Role
from consortium.referral import applying, approvals, capabilities, linked, listing, searching, store
from consortium.referral.applying import Application
from consortium.referral.capabilities import Approval
from consortium.referral.filling import Filled, fill
from consortium.referral.form import Form, missing
from consortium.referral.model import OPEN, Party, State
from consortium.referral.parties import OF_ROLE, party_of, resource_of
from consortium.referral.recording import open_to
from consortium.referral.searching import Search
from consortium.referral.table import TABLE
from consortium.referral.words import STATES

router = APIRouter(prefix="/referrals", tags=["referrals"])
Reader = Annotated[Caller, Depends(gate(Action.REFERRAL_READ))]
Writer = Annotated[Caller, Depends(gate(Action.REFERRAL_WRITE))]
Key = Annotated[
    str,
    Header(alias="Idempotency-Key", min_length=1, max_length=100, description="the same again adds nothing"),
]
_IDS = UUID("1f5a7c8e-2d0b-4c57-9b5c-6f0f0d1c9a36")


def named(caller: Caller, key: str, what: str) -> UUID:
    """Return the id of what a user makes with an idempotency key: the same again has the same id."""
    return uuid5(_IDS, f"{what}\n{caller.user.username}\n{key}")


def found(caller: Caller, connection: Connection, id_: UUID) -> tuple[dict[str, Any], Party]:
    """Return a referral and which party of it the caller is. Raises UnknownReferralError, ForbiddenError."""
    row = store.get(connection, id_)
    decision = caller.allow(resource_of(caller.user, row))
    party = party_of(caller.user, row)
    if party is None:
        raise FailureError(Failure(403, "forbidden", f"{decision.reason}; you are no party of this one"))
    return row, party


@router.post("", status_code=201, summary="Begin a referral, as a draft")
def begin(caller: Writer, body: Begin, idempotency_key: Key) -> Shown:
    """Write a draft. With an outpatient or inpatient number of one's own hospital the form comes filled from
    the records; what the request says of a part counts instead.
    """
    facility = caller.user.organisation
    caller.allow(Resource(organisation=facility))
    _elsewhere(facility, body.receiving_facility)
    with caller.parts.engine.begin() as connection:
        require_hospital(caller, connection, body.receiving_facility)
        if body.parent is not None:
            found(caller, connection, body.parent)
        filled = fill(connection, facility, body.encounter) if body.encounter else Filled()
        application = Application(
            id=named(caller, idempotency_key, "referral"),
            parent_id=body.parent,
            direction=body.direction,
            urgency=body.urgency,
            sending_facility=facility,
            receiving_facility=body.receiving_facility,
            patient_id=filled.patient_id,
            encounter_number=body.encounter,
            form=_merged(filled.form, body.form),
            criteria=tuple(body.criteria),
            documents=(*filled.documents, *body.documents),
            approvals=approvals_of(caller, facility),
            created_by=caller.user.username,
        )
        return begun(caller, connection, application)


def begun(caller: Caller, connection: Connection, application: Application) -> Shown:
    """Begin a referral with its workflow, once by its id."""
    calendar = caller.parts.calendar(connection)
    new = applying.begin(connection, application, caller.parts.now(), calendar)
    row = store.get(connection, application.id)
    if new:
        start_workflow(connection, row)
    shown = _shown(caller, connection, row, Party.SENDING_DOCTOR)
    caller.note_in(connection, "referral begun", _persons([row]))
    return shown


@router.get("", summary="List what one's hospital sent and received")
def list_referrals(
    caller: Reader,
    state: Annotated[list[State] | None, Query(description="without it all")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(max_length=200)] = None,
) -> Referrals:
    """Return the newest first, to a patient their own. Each patient shown is audited."""
    user = caller.user
    decision = caller.allow(Resource(organisation=user.organisation, person_id=user.person_id))
    whose = user.person_id or user.organisation
    with caller.parts.statements.connect() as connection:
        wanted = Search(whose=whose, states=state, limit=limit, after=after)
        page = searching.search(connection, wanted)
    caller.note(decision.reason, _persons(page.rows))
    return Referrals(items=[_summary(row) for row in page.rows], next=page.after)


@router.get("/worklists", summary="Count what waits for one's role, by what is to be done")
def worklists(caller: Reader) -> list[Worklist]:
    """Return one list for each state in which a step is the caller's turn, with what can be done there."""
    parties = parties_of(caller)
    with caller.parts.statements.connect() as connection:
        counts = listing.counts(connection, caller.user.organisation, parties)
    return [_worklist(state, parties, counts) for state in OPEN if state.value in counts]


@router.get("/worklist", summary="List what waits for one's role")
def worklist(
    caller: Reader,
    state: Annotated[list[State] | None, Query(description="without it all")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[Summary]:
    """Return emergencies first, then by deadline. Each patient shown is audited."""
    parties = parties_of(caller)
    with caller.parts.statements.connect() as connection:
        rows = listing.owed(connection, caller.user.organisation, parties, state or (), limit)
    caller.note("worklist shown", _persons(rows))
    return [_summary(row) for row in rows]


@router.get("/approvals", summary="List what waits for an approval of one's own hospital by one's role")
def to_approve(caller: Reader, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> list[Summary]:
    """Return the oldest first. Each patient shown is audited."""
    facility, role = caller.user.organisation, caller.user.role
    caller.allow(Resource(organisation=facility))
    with caller.parts.statements.connect() as connection:
        rows = approvals.waiting(connection, facility, role.value, limit)
    caller.note("approvals shown", _persons(rows))
    return [_summary(row) for row in rows]


@router.get("/{id}", summary="Show one referral, its way, and what one can do now")
def show(caller: Reader, id: UUID) -> Shown:  # noqa: A002 - the path's name of it
    """Return everything that belongs to it. The patient is audited."""
    with caller.parts.statements.connect() as connection:
        row, party = found(caller, connection, id)
        shown = _shown(caller, connection, row, party)
    caller.note("referral shown", _persons([row]))
    return shown


def approvals_of(caller: Caller, facility: str) -> tuple[Approval, ...]:
    """Return the approvals that a hospital demands of what it sends."""
    known = capabilities.load(caller.parts.settings.rules_dir).get(facility)
    return known.approval if known else ()


def _elsewhere(sending: str, receiving: str) -> None:
    if sending in (receiving, GROUP):
        raise FailureError(
            Failure(422, "same-hospital", "a referral leads from one hospital to another: name that one")
        )


def _merged(filled: Form, said: Form) -> Form:
    return filled.model_copy(update={name: getattr(said, name) for name in said.model_fields_set})


def parties_of(caller: Caller) -> tuple[Party, ...]:
    """Return the parties that the caller may be at referrals of their hospital. Raises ForbiddenError."""
    caller.allow(Resource(organisation=caller.user.organisation))
    return OF_ROLE.get(Role(caller.user.role), ())


def _persons(rows: Sequence[dict[str, Any]]) -> list[UUID]:
    return sorted({row["person_id"] for row in rows if row["person_id"]})


def _summary(row: dict[str, Any]) -> Summary:
    return Summary(**{name: row[name] for name in Summary.model_fields})


def _worklist(state: State, parties: Sequence[Party], counts: dict[str, tuple[int, int]]) -> Worklist:
    number, escalated = counts[state.value]
    steps = {line.step for line in TABLE if state in line.start and line.who & set(parties)}
    words = STATES[state]
    return Worklist(
        state=state,
        title=words.en,
        title_zh=words.zh,
        steps=sorted(steps),
        count=number,
        escalated=escalated,
    )


def _shown(caller: Caller, connection: Connection, row: dict[str, Any], party: Party) -> Shown:
    form = Form.model_validate(row["form"])
    plain = {name: row[name] for name in Shown.model_fields if name in row and name != "form"}
    return Shown(
        **plain,
        form=form,
        missing=list(missing(form, row["direction"])),
        consented=store.consented(connection, row["id"]),
        events=[
            Taken(**{n: event[n] for n in Taken.model_fields})
            for event in store.events(connection, row["id"])
        ],
        documents=[
            Document(**{n: one[n] for n in Document.model_fields})
            for one in applying.documents(connection, row["id"])
        ],
        children=[
            Child(**{n: one[n] for n in Child.model_fields})
            for one in linked.children(
                connection, row["id"], None if party is Party.PATIENT else caller.user.organisation
            )
        ],
        approvals=[
            Approved(**{n: one[n] for n in Approved.model_fields})
            for one in approvals.of(connection, row["id"])
        ],
        open_steps=list(open_to(connection, row, party)),
    )
