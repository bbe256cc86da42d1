"""One step into the projection: its event, how the consultation stands then, its slots and room, who is told,
and the audit.

All in the caller's transaction, once by the step's key. The table decides again here, on what is committed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from consortium.access import accounts, audit
from consortium.access.model import Action, Purpose, Role
from consortium.referral.model import Words
from consortium.scheduling.hours import Calendar
from consortium.teleconsult import meeting, signing, slots, store
from consortium.teleconsult.deadlines import due
from consortium.teleconsult.decide import Move, Refusal, decide, open_steps
from consortium.teleconsult.details import Details, Opinion
from consortium.teleconsult.errors import StepRefusedError
from consortium.teleconsult.model import FINAL, Deadline, Kind, Need, Party, Standing, State, Step
from consortium.teleconsult.notices import REMINDED, Tell, audience, facility_of, notices
from consortium.teleconsult.store import Row

REQUESTING = "requesting"
"""In `confirmed_by`: a doctor of the requesting hospital."""
_OVER = FINAL | {State.OPINION_DRAFT, State.SIGNED}
"""States in which nobody meets any more."""


@dataclass(frozen=True, slots=True)
class Order:
    """One step to be recorded."""

    consultation_id: UUID
    key: str
    step: Step
    party: Party
    username: str | None
    """None: the system."""
    details: Details
    at: datetime

    @property
    def by(self) -> str:
        """Who is said to have held and given back."""
        return self.username or slots.SYSTEM


@dataclass(frozen=True, slots=True)
class Recorded:
    """How a consultation stands after a step."""

    standing: Standing
    number: int
    owner_facility: str | None
    remind_at: datetime | None
    deadline_at: datetime | None
    level: int


def record(connection: sa.Connection, order: Order, calendar: Calendar, tell: Tell) -> Recorded:
    """Record a step, or find that it was recorded before.

    Raises UnknownConsultationError, StepRefusedError, and what scheduling refuses: SlotTakenError,
    HoldExpiredError.
    """
    row = store.lock(connection, order.consultation_id)
    if store.known(connection, order.consultation_id, order.key):
        return recorded(row)
    move = _decided(connection, row, order)
    changed = row | {"number": row["number"] + 1, "changed_at": order.at}
    changed |= _effects(connection, row, order, move)
    changed |= _standing(changed, order, move, calendar)
    _meet(connection, changed, order)
    _write(connection, row, changed, order)
    parties = audience(order.step, order.party, move.after)
    for notice in notices(changed, changed["number"], order.step.value, parties):
        tell(connection, notice)
    _audit(connection, changed, row["state"], order)
    return recorded(changed)


def remind(connection: sa.Connection, consultation_id: UUID, number: int, tell: Tell) -> Recorded:
    """Remind whoever owes the next step, and all of a booked time, unless a step was taken since.

    Raises UnknownConsultationError.
    """
    row = store.lock(connection, consultation_id)
    if row["number"] == number and row["owner"]:
        booked = row["deadline_kind"] == Deadline.ATTENDANCE
        all_ = (Party.EXPERT, Party.REQUESTING_DOCTOR, Party.PATIENT)
        for notice in notices(row, number, REMINDED, all_ if booked else (Party(row["owner"]),)):
            tell(connection, notice)
    return recorded(row)


def recorded(row: Row) -> Recorded:
    """Return how the consultation of a row stands."""
    return Recorded(
        standing=store.standing(row),
        number=row["number"],
        owner_facility=row["owner_facility"],
        remind_at=row["remind_at"],
        deadline_at=row["deadline_at"],
        level=row["escalation_level"],
    )


def facts(row: Row, order_party: Party, username: str | None, details: Details) -> frozenset[Need]:
    """Return which needs are met, by the step itself and by what is recorded of the consultation."""
    wanted = {*row["experts"], REQUESTING}
    met = {
        Need.QUESTION: bool(row["question"]),
        Need.CONSENT: row["consent_by"] is not None,
        Need.MATERIAL: bool(row["documents"]),
        Need.UNASSIGNED: not row["experts"],
        Need.LAST_WORD: wanted <= {*row["confirmed_by"], _word(order_party, username)},
        Need.OPINION: row["opinion"] is not None,
    }
    return details.has() | frozenset(need for need, there in met.items() if there)


def _word(party: Party, username: str | None) -> str:
    """Return whose confirmation it is."""
    return username or "" if party is Party.EXPERT else REQUESTING


def _decided(connection: sa.Connection, row: Row, order: Order) -> Move:
    standing, details = store.standing(row), order.details
    has = facts(row, order.party, order.username, details)
    answer = decide(standing, order.step, order.party, has)
    if isinstance(answer, Move):
        answer = _unfit(connection, row, order) or answer
    if isinstance(answer, Refusal):
        raise StepRefusedError(answer, standing.state, open_steps(standing, order.party))
    return answer


def _unfit(connection: sa.Connection, row: Row, order: Order) -> Refusal | None:
    """Return why what a step names does not do; None: it does."""
    if order.step in (Step.SCHEDULE, Step.RESCHEDULE):
        return slots.unfit(connection, row, order.details.slots)
    if order.step not in (Step.ASSIGN, Step.SUBSTITUTE):
        return None
    strangers = [expert for expert in order.details.experts if not _is_doctor(connection, expert)]
    if not strangers:
        return None
    names = ", ".join(strangers)
    return Refusal(
        "something-missing",
        Words(f"no doctor has the username {names}; name one who is", f"没有用户名为 {names} 的医生，请另选"),
        (Need.EXPERT,),
    )


def _is_doctor(connection: sa.Connection, username: str) -> bool:
    account = accounts.find(connection, username)
    return account is not None and not account.disabled and account.user.role is Role.DOCTOR


def _effects(connection: sa.Connection, row: Row, order: Order, move: Move) -> Row:
    """Do what the step itself does, and return the columns that it changes."""
    given, by = order.details, order.by
    match order.step:
        case Step.ASSIGN | Step.SUBSTITUTE:
            free = slots.give_back(connection, row, by)
            return free | {"experts": list(given.experts), "department": given.department}
        case Step.CLAIM:
            return {"experts": [by]}
        case Step.SCHEDULE | Step.RESCHEDULE:
            return slots.hold(connection, row, given.slots, by)
        case Step.CONFIRM:
            return _confirmed(connection, row, order, move)
        case Step.WRITE:
            return {"opinion": _opinion(row, given).model_dump()}
        case Step.SIGN:
            return _signed(connection, row, order)
        case Step.EVALUATE:
            _evaluated(connection, order)
            return {}
        case Step.CHARGE:
            return {"fee": given.fee}
        case Step.REFUSE_TIME | Step.MISS | Step.CANCEL | Step.EXPIRE:
            return slots.give_back(connection, row, by)
        case _:
            return {}


def _confirmed(connection: sa.Connection, row: Row, order: Order, move: Move) -> Row:
    if move.after.state is State.CONFIRMED:
        slots.confirm(connection, row, order.by)
    return {"confirmed_by": sorted({*row["confirmed_by"], _word(order.party, order.username)})}


def _opinion(row: Row, given: Details) -> Opinion:
    return given.opinion or Opinion.model_validate(row["opinion"])


def _signed(connection: sa.Connection, row: Row, order: Order) -> Row:
    opinion = _opinion(row, order.details)
    made = signing.sign(row["id"], row["kind"], row["experts"], order.by, order.at, opinion)
    values = {"content": made.content, "sha256": made.sha256, "signer": order.by, "signed_at": order.at}
    connection.execute(sa.insert(store.SIGNED).values(consultation_id=row["id"], **values))
    return {"opinion": opinion.model_dump()}


def _evaluated(connection: sa.Connection, order: Order) -> None:
    said: Row = {"rating": order.details.rating, "comment": order.details.note, "at": order.at}
    who: Row = {"consultation_id": order.consultation_id, "username": order.by, "party": order.party.value}
    statement = insert(store.EVALUATION).values(**who, **said)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["consultation_id", "username"], set_=said)
    )


def _standing(row: Row, order: Order, move: Move, calendar: Calendar) -> Row:
    """Return owner, deadline and level; those stay where the state does, but for an escalation."""
    if move.line.to == "stays":
        if order.step is not Step.ESCALATE:
            return {}
        changes: Row = {"escalation_level": row["escalation_level"] + 1}
    else:
        owner = move.after.place.owner
        changes = store.columns(move.after.place) | {"escalation_level": 0}
        changes["owner_facility"] = None if owner is None else facility_of(row, owner)
    return changes | _deadline(row | changes, move.after, order.at, calendar)


def _deadline(row: Row, after: Standing, at: datetime, calendar: Calendar) -> Row:
    kind = after.place.deadline
    if kind is None:
        return {"remind_at": None, "deadline_at": None}
    ends = due(calendar, kind, row["urgency"], row["owner_facility"], at, row["starts_at"])
    return {"remind_at": ends.remind_at, "deadline_at": ends.at}


def _meet(connection: sa.Connection, row: Row, order: Order) -> None:
    """Open the room for whoever has a time, and close it when nobody meets any more."""
    if row["kind"] != Kind.VIDEO:
        return
    if row["state"] in _OVER:
        meeting.end(connection, row["id"], order.by, order.at)
    elif order.step in (Step.SCHEDULE, Step.RESCHEDULE) or (
        order.step is Step.BEGIN and row["starts_at"] is None
    ):
        meeting.open_for(connection, row, order.at)
    elif order.step in (Step.REFUSE_TIME, Step.MISS, Step.SUBSTITUTE):
        meeting.leave(connection, row["id"], order.at)


def _write(connection: sa.Connection, before: Row, after: Row, order: Order) -> None:
    changes = {name: value for name, value in after.items() if value != before[name]}
    store.update(connection, order.consultation_id, changes)
    values: dict[str, Any] = {
        "consultation_id": order.consultation_id,
        "number": after["number"],
        "key": order.key,
        "step": order.step.value,
        "from_state": before["state"],
        "to_state": after["state"],
        "party": order.party.value,
        "username": order.username,
        "note": order.details.note,
        "details": order.details.model_dump(mode="json", exclude_none=True, exclude={"note", "opinion"}),
        "at": order.at,
    }
    connection.execute(sa.insert(store.EVENT).values(**values))


def _audit(connection: sa.Connection, row: Row, before: str, order: Order) -> None:
    account = accounts.find(connection, order.username) if order.username else None
    entry = audit.entry(
        account.user if account else None,
        Action.CONSULTATION_STEP,
        Purpose.OWN if order.party is Party.PATIENT else Purpose.TREATMENT,
        f"consultation {order.consultation_id}",
        "allowed",
        f"{order.step}: {before} → {row['state']}",
        request_id=f"consultation-{order.consultation_id}",
        persons=[row["person_id"]] if row["person_id"] else [],
    )
    audit.append(connection, entry)
