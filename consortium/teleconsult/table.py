"""The one table: from which state which step leads where, who may take it, what it needs, who owns it then.

The workflow, the API, docs/consultation-steps.md and the tests read this and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from consortium.teleconsult.model import OPEN, Deadline, Kind, Need, Party, State, Step, Urgency

To = State | Literal["stays"]

EVERY = frozenset(Kind)
VIDEO = frozenset({Kind.VIDEO})
WITHOUT_SESSION = EVERY - VIDEO
"""Kinds for which nobody needs to meet: no time is held."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: what it does not allow is refused.

    Where two lines answer the same question, the first whose needs are met counts.
    """

    start: tuple[State, ...]
    step: Step
    to: To
    who: frozenset[Party]
    needs: frozenset[Need] = frozenset()
    owner: Party | None = None
    """Who owes the next step; None: as before, or nobody in a final state."""
    deadline: Deadline | None = None
    """What runs then; None: as before, or nothing in a final state."""
    kinds: frozenset[Kind] = EVERY
    urgency: Urgency | None = None
    """Only for consultations of this urgency."""


_RD, _RC = Party.REQUESTING_DOCTOR, Party.REQUESTING_COORDINATOR
_EX, _CD, _CC = Party.EXPERT, Party.CONSULTING_DOCTOR, Party.CONSULTING_COORDINATOR
REQUESTERS = frozenset({_RD, _RC})
EXPERT = frozenset({_EX})
COORDINATOR = frozenset({_CC})
DOCTOR = frozenset({_CD})
SYSTEM = frozenset({Party.SYSTEM})
NOTE = frozenset({Need.NOTE})
REQUEST = frozenset({Need.QUESTION, Need.CONSENT})
SLOTS = frozenset({Need.SLOTS})
FREE = frozenset({Need.UNASSIGNED})
ASSIGNED = frozenset({Need.EXPERT})
OPINION = frozenset({Need.OPINION})

WITH_TIME = (State.SCHEDULED, State.CONFIRMED)
BEFORE_SESSION = (State.REQUESTED, State.RETURNED, State.ACCEPTED, *WITH_TIME, State.NO_SHOW)
"""From these a consultation is still cancelled."""
EXPIRING = (State.DRAFT, State.REQUESTED, State.RETURNED, State.ACCEPTED, State.SCHEDULED, State.NO_SHOW)

TABLE: tuple[Line, ...] = (
    # Request
    Line((State.DRAFT, State.RETURNED), Step.SUBMIT, State.REQUESTED, REQUESTERS, REQUEST,
         _CC, Deadline.TRIAGE, VIDEO),
    Line((State.DRAFT, State.RETURNED), Step.SUBMIT, State.REQUESTED, REQUESTERS,
         REQUEST | {Need.MATERIAL}, _CC, Deadline.TRIAGE, WITHOUT_SESSION),
    Line((State.DRAFT,), Step.DISCARD, State.CANCELLED, REQUESTERS),
    # Completeness, and who gives the opinion
    Line((State.REQUESTED,), Step.RETURN, State.RETURNED, COORDINATOR, NOTE, _RD, Deadline.INFORMATION),
    Line((State.REQUESTED,), Step.DECLINE, State.DECLINED, COORDINATOR, NOTE),
    Line((State.REQUESTED,), Step.ASSIGN, State.ACCEPTED, COORDINATOR, ASSIGNED,
         _CC, Deadline.SCHEDULING, VIDEO),
    Line((State.REQUESTED,), Step.ASSIGN, State.ACCEPTED, COORDINATOR, ASSIGNED,
         _EX, Deadline.OPINION, WITHOUT_SESSION),
    Line((State.REQUESTED, State.ACCEPTED), Step.CLAIM, State.ACCEPTED, DOCTOR, FREE,
         _CC, Deadline.SCHEDULING, VIDEO),
    Line((State.REQUESTED, State.ACCEPTED), Step.CLAIM, State.ACCEPTED, DOCTOR, FREE,
         _EX, Deadline.OPINION, WITHOUT_SESSION),
    Line((State.ACCEPTED, *WITH_TIME, State.NO_SHOW), Step.SUBSTITUTE, State.ACCEPTED, COORDINATOR, ASSIGNED,
         _CC, Deadline.SCHEDULING, VIDEO),
    Line((State.ACCEPTED, State.OPINION_DRAFT), Step.SUBSTITUTE, State.ACCEPTED, COORDINATOR, ASSIGNED,
         _EX, Deadline.OPINION, WITHOUT_SESSION),
    # Time
    Line((State.ACCEPTED,), Step.SCHEDULE, State.SCHEDULED, COORDINATOR | EXPERT, SLOTS,
         _EX, Deadline.CONFIRMATION, VIDEO),
    Line((*WITH_TIME, State.NO_SHOW), Step.RESCHEDULE, State.SCHEDULED, COORDINATOR | EXPERT, SLOTS,
         _EX, Deadline.CONFIRMATION, VIDEO),
    Line((State.SCHEDULED,), Step.CONFIRM, State.CONFIRMED, EXPERT | {_RD}, frozenset({Need.LAST_WORD}),
         _EX, Deadline.ATTENDANCE, VIDEO),
    Line((State.SCHEDULED,), Step.CONFIRM, "stays", EXPERT | {_RD}, kinds=VIDEO),
    Line(WITH_TIME, Step.REFUSE_TIME, State.ACCEPTED, EXPERT | REQUESTERS | {Party.PATIENT}, NOTE,
         _CC, Deadline.SCHEDULING, VIDEO),
    # Session
    Line((State.CONFIRMED,), Step.BEGIN, State.IN_SESSION, EXPERT | {_RD} | SYSTEM, frozenset(),
         _EX, Deadline.SESSION, VIDEO),
    Line((State.ACCEPTED,), Step.BEGIN, State.IN_SESSION, EXPERT, frozenset(),
         _EX, Deadline.SESSION, VIDEO, "urgent"),
    Line((State.CONFIRMED,), Step.MISS, State.NO_SHOW, COORDINATOR | EXPERT | SYSTEM, frozenset(),
         _CC, Deadline.SCHEDULING, VIDEO),
    Line((State.IN_SESSION,), Step.END_SESSION, State.OPINION_DRAFT, EXPERT | {_RD} | SYSTEM, frozenset(),
         _EX, Deadline.OPINION, VIDEO),
    # Opinion
    Line((State.IN_SESSION,), Step.WRITE, State.OPINION_DRAFT, EXPERT, OPINION,
         _EX, Deadline.OPINION, VIDEO),
    Line((State.ACCEPTED,), Step.WRITE, State.OPINION_DRAFT, EXPERT, OPINION,
         _EX, Deadline.OPINION, WITHOUT_SESSION),
    Line((State.OPINION_DRAFT,), Step.WRITE, "stays", EXPERT, OPINION),
    Line((State.OPINION_DRAFT,), Step.SIGN, State.SIGNED, EXPERT, OPINION, _RD, Deadline.CLOSING),
    Line((State.SIGNED,), Step.EVALUATE, "stays", REQUESTERS | {Party.PATIENT}, frozenset({Need.RATING})),
    Line((State.SIGNED,), Step.CHARGE, "stays", COORDINATOR, frozenset({Need.FEE})),
    Line((State.SIGNED,), Step.CLOSE, State.CLOSED, REQUESTERS | SYSTEM),
    # Endings
    Line(BEFORE_SESSION, Step.CANCEL, State.CANCELLED, REQUESTERS | COORDINATOR | {Party.PATIENT}, NOTE),
    Line(EXPIRING, Step.EXPIRE, State.EXPIRED, SYSTEM),
    Line(OPEN, Step.ESCALATE, "stays", SYSTEM),
)  # fmt: skip
