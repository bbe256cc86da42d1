"""Who is told of what: one notice for each person's duty, written in the transaction of the step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Connection

from consortium.referral.model import Party, Side, Standing, Step

SUBJECT = "referral"
REMIND = "remind"
"""What happens where no step was taken: a deadline draws near."""
NEXT_APPROVAL = "next_approval"
"""What happens to whoever is next to approve inside the sending hospital."""
FOLLOW_UP = "follow_up"
"""What happens after the end: somebody is to look after the patient again."""
COORDINATOR = {
    Side.SENDING: Party.SENDING_COORDINATOR,
    Side.RECEIVING: Party.RECEIVING_COORDINATOR,
}
"""Who is told besides the owner when a deadline passed."""
TO_PATIENT = frozenset(
    {Step.ACCEPT, Step.REJECT, Step.REFER_ONWARD, Step.BOOK, Step.RESCHEDULE, Step.MISS, Step.CONFIRM_CANCEL}
)
"""Steps that the patient is told of and guided through."""
TO_BOTH = frozenset(
    {Step.DECLINE, Step.REQUEST_CANCEL, Step.CONFIRM_CANCEL, Step.DECLINE_CANCEL, Step.WITHDRAW_CANCEL}
)
"""Steps that the sending doctor and the receiving coordinator are told of."""
TO_SENDER = TO_BOTH | {
    Step.REJECT,
    Step.REFER_ONWARD,
    Step.ACCEPT,
    Step.BOOK,
    Step.RESCHEDULE,
    Step.MISS,
    Step.ARRIVE,
    Step.BEGIN_CARE,
    Step.REPORT_INTERIM,
    Step.RETURN_OUTCOME,
    Step.EXPIRE,
}
TO_RECEIVER = TO_BOTH | {Step.CONFIRM, Step.CLOSE, Step.REOPEN}


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell. It refers to the referral, which is read under the reader's own rights."""

    workflow_id: str
    step: str
    """Which telling of the workflow this is; the same again is written once."""
    subject: str
    subject_id: UUID
    facility: str
    party: Party
    """Whose duty it is to know."""
    recipient: str | None
    """Username of one of them; None: whoever has the duty there."""
    person_id: UUID | None
    """The golden person, where it is for the patient and the records know them."""
    what: str
    """The step that was taken, or REMIND."""
    duty: str | None = None
    """Those of the party who have it alone; None: the duty of the party."""
    department: str | None = None
    """Whose staff it is for first."""
    level: int = 0
    """Escalation level."""
    values: Mapping[str, str] = field(default_factory=dict)
    """For the words: codes, times and names of ours; no patient data."""


class Tell(Protocol):
    """Writes a notice in the caller's transaction, once by its workflow, step and recipient."""

    def __call__(self, connection: Connection, notice: Notice) -> None:
        """Write it."""


def audience(step: Step, actor: Party, after: Standing) -> tuple[Party, ...]:
    """Return who is told that a step was taken: whoever owes the next one, and whoever waits for it."""
    owner = after.place.owner
    told: dict[Party, None] = {}
    if owner is not None:
        told[owner] = None
    if owner is not None and step is Step.ESCALATE:
        told[COORDINATOR[owner.side]] = None
    if step in TO_SENDER:
        told[Party.SENDING_DOCTOR] = None
    if step in TO_RECEIVER:
        told[Party.RECEIVING_COORDINATOR] = None
    if step in TO_PATIENT:
        told[Party.PATIENT] = None
    return tuple(party for party in told if party is not actor)


def follower(direction: str) -> Party:
    """Return who looks after the patient afterwards: the doctor of the hospital that they went back to."""
    return Party.SENDING_DOCTOR if direction == "up" else Party.RECEIVING_DOCTOR


def notices(
    row: Mapping[str, Any],
    number: int,
    what: str,
    parties: tuple[Party, ...],
    level: int = 0,
    duty: str | None = None,
) -> Iterator[Notice]:
    """Return the notices of one step of a referral, `row` being how it stands after the step."""
    values = _values(row, what)
    for party in parties:
        owes = party.value == row["owner"]
        yield Notice(
            workflow_id=f"referral-{row['id']}",
            step=f"{number}:{what}:{level}:{party}",
            subject=SUBJECT,
            subject_id=row["id"],
            facility=facility_of(row, party),
            party=party,
            recipient=None if what == NEXT_APPROVAL else _recipient(row, party, owes=owes),
            person_id=row["person_id"] if party is Party.PATIENT else None,
            what=what,
            duty=duty,
            department=row["department"] if party is Party.RECEIVING_DOCTOR else None,
            level=level,
            values=values,
        )


def reference(id_: UUID) -> str:
    """Return the number by which people call a referral."""
    return f"R-{id_.hex[:8].upper()}"


def _values(row: Mapping[str, Any], what: str) -> dict[str, str]:
    """Return what the words may say; what a referral has not is left out."""
    receiver, department = row["receiving_facility"], row["department"]
    found = {
        "reference": reference(row["id"]),
        "sender": row["sending_facility"],
        "hospital": receiver,
        "onward": row["onward_facility"],
        "department": f"{receiver}/{department}" if department else None,
        "urgency": row["urgency"],
        "state": row["state"],
        "step": what,
        "due": row["deadline_at"] and row["deadline_at"].isoformat(),
        "at": row["slot_start"] and row["slot_start"].isoformat(),
        "created_by": row["created_by"],
    }
    return {name: value for name, value in found.items() if value}


def facility_of(row: Mapping[str, Any], party: Party) -> str:
    """Return the hospital where a party is; the patient is reached by the sender until care begins."""
    column = "receiving_facility" if party.side is Side.RECEIVING else "sending_facility"
    return str(row[column])


def _recipient(row: Mapping[str, Any], party: Party, *, owes: bool) -> str | None:
    if owes and row["owner_user"]:
        return str(row["owner_user"])
    return str(row["created_by"]) if party is Party.SENDING_DOCTOR else None
