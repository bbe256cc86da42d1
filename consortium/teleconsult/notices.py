"""Who is told of which step: one notice for each person's duty, written in the transaction of the step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from sqlalchemy import Connection

from consortium.notifications.model import Notice
from consortium.teleconsult.model import Party, Side, Standing, State, Step
from consortium.teleconsult.store import Row

SUBJECT = "consultation"
REMINDED = "remind"
TO_REQUESTER = frozenset(
    {
        Step.ASSIGN, Step.CLAIM, Step.SUBSTITUTE, Step.DECLINE, Step.SCHEDULE, Step.RESCHEDULE, Step.CONFIRM,
        Step.REFUSE_TIME, Step.MISS, Step.BEGIN, Step.CANCEL, Step.EXPIRE,
    }
)  # fmt: skip
"""Steps that the requesting doctor is told of besides those whose turn it is."""
TO_CONSULTANTS = frozenset(
    {Step.RESCHEDULE, Step.REFUSE_TIME, Step.MISS, Step.CANCEL, Step.EXPIRE, Step.EVALUATE, Step.CLOSE}
)
"""Steps that the experts and their coordinator are told of."""
TO_PATIENT = frozenset({Step.RESCHEDULE, Step.REFUSE_TIME, Step.MISS, Step.CANCEL})


class Tell(Protocol):
    """Writes a notice in the caller's transaction, once by its workflow, step and recipient."""

    def __call__(self, connection: Connection, notice: Notice) -> object:
        """Write it."""
        ...


def audience(step: Step, actor: Party, after: Standing) -> tuple[Party, ...]:
    """Return who is told that a step was taken: whoever owes the next one, and whoever waits for it."""
    owner = after.place.owner
    told: dict[Party, None] = {} if owner is None else {owner: None}
    if owner is not None and step is Step.ESCALATE:
        consulting = owner.side is Side.CONSULTING
        told[Party.CONSULTING_COORDINATOR if consulting else Party.REQUESTING_COORDINATOR] = None
    if step in TO_REQUESTER:
        told[Party.REQUESTING_DOCTOR] = None
    if step in TO_CONSULTANTS:
        told |= dict.fromkeys((Party.EXPERT, Party.CONSULTING_COORDINATOR))
    if step in TO_PATIENT or after.state is State.CONFIRMED:
        told[Party.PATIENT] = None
    return tuple(party for party in told if party is not actor)


def notices(row: Row, number: int, step: str, parties: tuple[Party, ...]) -> Iterator[Notice]:
    """Return the notices of one step, `row` being how the consultation stands after it."""
    for party in parties:
        for whom in _whom(row, party):
            mark = whom.get("recipient") or whom.get("duty") or "patient"
            yield Notice(
                workflow_id=f"consultation-{row['id']}",
                step=f"{number}:{step}:{row['escalation_level']}:{mark}",
                subject=SUBJECT,
                subject_id=row["id"],
                facility=facility_of(row, party),
                level=row["escalation_level"],
                **_said(row, step, party),
                **whom,
            )


def facility_of(row: Row, party: Party) -> str:
    """Return the hospital where a party is; the patient is reached by the one that requests."""
    return str(row["consulting_facility" if party.side is Side.CONSULTING else "requesting_facility"])


def _whom(row: Row, party: Party) -> Iterator[dict[str, Any]]:
    if party is Party.PATIENT:
        if row["person_id"]:
            yield {"person_id": row["person_id"]}
    elif party is Party.REQUESTING_DOCTOR:
        yield {"recipient": row["created_by"]}
    elif party is Party.EXPERT and row["experts"]:
        for expert in row["experts"]:
            yield {"recipient": expert}
    elif party is Party.EXPERT:  # a department was named, of whose doctors one claims it
        yield {"duty": Party.CONSULTING_DOCTOR.value, "recipient": row["department"]}
    else:
        yield {"duty": party.value}


def _said(row: Row, step: str, party: Party) -> dict[str, Any]:
    reference = str(row["id"])[:8].upper()
    if party is Party.PATIENT:
        if row["starts_at"] is None:
            return {"template": "patient-consultation-off", "values": {"reference": reference}}
        values = {"reference": reference, "start": row["starts_at"].isoformat()}
        return {"template": "patient-consultation", "values": values}
    values = {
        "reference": reference,
        "requester": row["requesting_facility"],
        "kind": row["kind"],
        "step": step,
    }
    if party.value == row["owner"]:
        values |= {"urgency": row["urgency"], "due": row["deadline_at"].isoformat()}
        return {"template": "consultation-turn", "values": values}
    return {"template": "consultation-step", "values": values}
