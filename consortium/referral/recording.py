"""One step into the projection: its event, how the referral stands then, who is told, and the audit.

All in the caller's transaction, once by the step's key. The table decides again here, on what is committed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from consortium.access import accounts, audit
from consortium.access.model import Action, Purpose, Role
from consortium.referral import approvals, linked, slots, store
from consortium.referral.deadlines import due
from consortium.referral.decide import Move, Refusal, decide, open_steps
from consortium.referral.details import Details
from consortium.referral.errors import SlotRefusedError, StepRefusedError
from consortium.referral.form import Form, missing
from consortium.referral.model import Kind, Need, Party, Side, Standing, State, Step, Words
from consortium.referral.notices import (
    FOLLOW_UP,
    NEXT_APPROVAL,
    REMIND,
    Notice,
    Tell,
    audience,
    facility_of,
    follower,
    notices,
)
from consortium.referral.store import Row
from consortium.referral.words import PARTIES
from consortium.scheduling.hours import Calendar


@dataclass(frozen=True, slots=True)
class Order:
    """One step to be recorded."""

    referral_id: UUID
    key: str
    step: Step
    party: Party
    username: str | None
    """None: the system."""
    details: Details
    at: datetime


@dataclass(frozen=True, slots=True)
class Recorded:
    """How a referral stands after a step."""

    standing: Standing
    number: int
    owner_facility: str | None
    remind_at: datetime | None
    deadline_at: datetime | None
    level: int
    follow_up_at: datetime | None = None
    """When somebody is to look after the patient again, once it is closed."""
    child: UUID | None = None
    """The referral that this step began."""


def record(connection: sa.Connection, order: Order, calendar: Calendar, tell: Tell) -> Recorded:
    """Record a step, or find that it was recorded before.

    Raises UnknownReferralError, StepRefusedError.
    """
    row = store.lock(connection, order.referral_id)
    if store.known(connection, order.referral_id, order.key):
        return recorded(row)
    move = _decided(connection, row, order)
    changed = row | _changes(row, order, move, calendar, _slot(connection, row, order, move))
    _write(connection, row, changed, order)
    for notice in _approved(connection, changed, order) or _told(changed, order, move):
        tell(connection, notice)
    _audit(connection, changed, row["state"], order)
    return replace(recorded(changed), child=_child(connection, changed, order, calendar))


def remind(connection: sa.Connection, referral_id: UUID, number: int, tell: Tell) -> Recorded:
    """Remind whoever owes the next step, and a patient of the booked time, unless a step was taken since.

    Raises UnknownReferralError.
    """
    row = store.lock(connection, referral_id)
    if row["number"] == number and row["owner"]:
        booked = row["deadline_kind"] == Kind.ATTENDANCE
        parties = (Party(row["owner"]), *([Party.PATIENT] if booked else []))
        for notice in notices(row, number, REMIND, parties, row["escalation_level"]):
            tell(connection, notice)
    return recorded(row)


def follow_up(connection: sa.Connection, referral_id: UUID, number: int, tell: Tell) -> Recorded:
    """Tell who looks after the patient that it is time, once, unless it was reopened since.

    Raises UnknownReferralError.
    """
    row = store.lock(connection, referral_id)
    if row["number"] == number and recorded(row).follow_up_at is not None:
        for notice in notices(row, number, FOLLOW_UP, (follower(row["direction"]),)):
            tell(connection, notice)
        store.update(connection, referral_id, {"follow_up_at": None})
        row["follow_up_at"] = None
    return recorded(row)


def recorded(row: Row) -> Recorded:
    """Return how the referral of a row stands."""
    return Recorded(
        standing=store.standing(row),
        number=row["number"],
        owner_facility=row["owner_facility"],
        remind_at=row["remind_at"],
        deadline_at=row["deadline_at"],
        level=row["escalation_level"],
        follow_up_at=row["follow_up_at"] if row["state"] == State.CLOSED else None,
    )


def open_to(connection: sa.Connection, row: Row, party: Party) -> tuple[Step, ...]:
    """Return the steps that a party can take now; `approve` only where an approval is still to come."""
    steps = open_steps(store.standing(row), party)
    if Step.APPROVE in steps and approvals.pending(connection, row["id"]) is None:
        return tuple(step for step in steps if step is not Step.APPROVE)
    return steps


def facts(connection: sa.Connection, row: Row, details: Details) -> frozenset[Need]:
    """Return which needs are met, by the step itself and by what is recorded of the referral."""
    met = {
        Need.FORM: not missing(Form.model_validate(row["form"]), row["direction"]),
        Need.CRITERION: bool(row["criteria"]),
        Need.CONSENT: store.consented(connection, row["id"]),
        Need.APPROVAL: approvals.pending(connection, row["id"]) is None,
    }
    return details.has() | frozenset(need for need, there in met.items() if there)


def _decided(connection: sa.Connection, row: Row, order: Order) -> Move:
    standing = store.standing(row)
    answer = decide(standing, order.step, order.party, facts(connection, row, order.details))
    if isinstance(answer, Move) and order.step is Step.DELEGATE:
        answer = _delegable(connection, row, order, answer)
    if isinstance(answer, Move) and order.step is Step.REFER_ONWARD:
        answer = _elsewhere(row, order) or answer
    if isinstance(answer, Move) and order.step is Step.APPROVE:
        by = order.username or ""
        answer = approvals.refusal(connection, row, order.party, by, order.at) or answer
    if isinstance(answer, Refusal):
        raise StepRefusedError(answer, standing.state, open_to(connection, row, order.party))
    return answer


def _elsewhere(row: Row, order: Order) -> Refusal | None:
    """Refuse to refer onward to one of the two hospitals of this referral."""
    if order.details.hospital not in (row["sending_facility"], row["receiving_facility"]):
        return None
    words = Words(
        f"{order.details.hospital} is a hospital of this referral already; name a third one",
        f"{order.details.hospital}已是本转诊的一方，请选择其他医院",
    )
    return Refusal("something-missing", words, (Need.HOSPITAL,))


def _delegable(connection: sa.Connection, row: Row, order: Order, move: Move) -> Move | Refusal:
    """Refuse a delegate who could not act: unknown, closed, of another hospital or role."""
    account = accounts.find(connection, order.details.delegate or "")
    owner = Party(row["owner"])
    role = Role(owner.value.rpartition("_")[2])
    if (
        account is not None
        and not account.disabled
        and ((account.user.organisation, account.user.role) == (row["owner_facility"], role))
    ):
        return move
    return Refusal(
        "something-missing",
        Words(
            f"nobody of that username is a {role.value} of {row['owner_facility']}; name one who is",
            f"{row['owner_facility']}没有该用户名的{PARTIES[owner].zh}，请另选",
        ),
        (Need.DELEGATE,),
    )


def _child(connection: sa.Connection, changed: Row, order: Order, calendar: Calendar) -> UUID | None:
    hospital = order.details.hospital
    if order.step is not Step.REFER_ONWARD or hospital is None:
        return None
    return linked.onward(connection, changed, hospital, order.at, calendar)


def _told(changed: Row, order: Order, move: Move) -> list[Notice]:
    parties = audience(order.step, order.party, move.after)
    return [*notices(changed, changed["number"], order.step.value, parties, changed["escalation_level"])]


def _approved(connection: sa.Connection, changed: Row, order: Order) -> list[Notice]:
    """Give an approval, and return what tells the next one; after the last, the applicant is told."""
    if order.step is not Step.APPROVE:
        return []
    following = approvals.grant(connection, order.referral_id, order.username or "", order.at)
    if following is None:
        parties = () if order.username == changed["created_by"] else (Party.SENDING_DOCTOR,)
        return [*notices(changed, changed["number"], order.step.value, parties)]
    parties = (approvals.PARTIES[following["by"]],)
    return [*notices(changed, changed["number"], NEXT_APPROVAL, parties, duty=following["duty"])]


def _slot(connection: sa.Connection, row: Row, order: Order, move: Move) -> Row:
    after, by = move.after.state, order.username or "system"
    try:
        return slots.settle(connection, row, order.step, order.details, after, by)
    except SlotRefusedError as error:
        standing = store.standing(row)
        refusal = Refusal("slot-taken", Words(str(error), error.zh))
        steps = open_to(connection, row, order.party)
        raise StepRefusedError(refusal, standing.state, steps, error.current) from error


def _changes(row: Row, order: Order, move: Move, calendar: Calendar, slot: Row) -> Row:
    changes: Row = {"number": row["number"] + 1, "changed_at": order.at}
    changes |= _decided_columns(order) | slot
    if move.line.to != "stays":
        changes |= store.columns(move.after) | {"escalation_level": 0}
        changes |= _ownership(row, order, move.after)
    if move.line.to != "stays" or order.step is Step.ESCALATE:
        changes |= _deadline(row | changes, move.after, order.at, calendar)
    if order.step is Step.ESCALATE:
        changes["escalation_level"] = row["escalation_level"] + 1
    return changes


def _ownership(row: Row, order: Order, after: Standing) -> Row:
    owner = after.place.owner
    if owner is None:
        return {"owner_user": None, "owner_facility": None}
    back_to_sender = row["created_by"] if owner is Party.SENDING_DOCTOR else None
    user = order.username if owner is order.party else back_to_sender
    return {"owner_user": user, "owner_facility": facility_of(row, owner)}


def _deadline(row: Row, after: Standing, at: datetime, calendar: Calendar) -> Row:
    kind = after.place.deadline
    if kind is None:
        return {"remind_at": None, "deadline_at": None, "deadline_provisional": False}
    ends = due(calendar, kind, row["urgency"], row["owner_facility"], at, row["slot_end"])
    return {
        "remind_at": ends.remind_at,
        "deadline_at": ends.at,
        "deadline_provisional": ends.provisional,
    }


def _decided_columns(order: Order) -> Row:
    """Return what the step itself decides."""
    given = order.details
    match order.step:
        case Step.ACCEPT:
            return {"department": given.department, "bed": given.bed}
        case Step.REFER_ONWARD:
            return {"onward_facility": given.hospital}
        case Step.ARRIVE:
            return {"arrival_encounter": given.encounter}
        case Step.RETURN_OUTCOME:
            return {"outcome": given.note, "follow_up_at": given.follow_up_at}
        case Step.CLOSE if given.follow_up_at:
            return {"follow_up_at": given.follow_up_at}
        case Step.REOPEN:
            return {"follow_up_at": None}
        case Step.DELEGATE:
            return {"owner_user": given.delegate}
        case _:
            return {}


def _write(connection: sa.Connection, before: Row, after: Row, order: Order) -> None:
    columns = {name: value for name, value in after.items() if name != "person_id"}
    store.update(connection, order.referral_id, _differing(before, columns))
    values: dict[str, Any] = {
        "referral_id": order.referral_id,
        "number": after["number"],
        "key": order.key,
        "step": order.step.value,
        "from_state": before["state"],
        "to_state": after["state"],
        "party": order.party.value,
        "username": order.username,
        "note": order.details.note,
        "details": order.details.model_dump(mode="json", exclude_none=True, exclude={"note"}),
        "at": order.at,
    }
    connection.execute(sa.insert(store.EVENT).values(**values))


def _differing(before: Row, after: Row) -> Row:
    return {name: value for name, value in after.items() if value != before[name]}


def _audit(connection: sa.Connection, row: Row, before: str, order: Order) -> None:
    account = accounts.find(connection, order.username) if order.username else None
    entry = audit.entry(
        account.user if account else None,
        Action.REFERRAL_STEP,
        Purpose.OWN if order.party.side is Side.PATIENT else Purpose.TREATMENT,
        f"referral {order.referral_id}",
        "allowed",
        f"{order.step}: {before} → {row['state']}",
        request_id=f"referral-{order.referral_id}",
        persons=[row["person_id"]] if row["person_id"] else [],
    )
    audit.append(connection, entry)
