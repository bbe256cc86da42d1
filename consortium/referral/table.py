"""The one table: from which state which step leads where, who may take it, what it needs, who owns it then.

The workflow, the API, docs/referral-steps.md and the tests read this and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from consortium.referral.model import OPEN, Kind, Need, Party, Side, State, Step

To = State | Literal["stays", "back"]
"""`stays`: the state does not change; `back`: to where it stood before the cancellation was asked for."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: what it does not allow is refused."""

    start: tuple[State, ...]
    step: Step
    to: To
    who: frozenset[Party]
    needs: frozenset[Need] = frozenset()
    owner: Party | None = None
    """Who owes the next step; None: as before, or nobody in a final state."""
    deadline: Kind | None = None
    """What runs then; None: as before, or nothing in a final state."""
    asked: Side | None = None
    """Only where this side asked for the cancellation."""
    owners_side: bool = False
    """Only for those on the side of the owner."""


SENDERS = frozenset({Party.SENDING_DOCTOR, Party.SENDING_COORDINATOR})
RECEIVERS = frozenset({Party.RECEIVING_DOCTOR, Party.RECEIVING_COORDINATOR})
RECEIVING_COORDINATOR = frozenset({Party.RECEIVING_COORDINATOR})
SYSTEM = frozenset({Party.SYSTEM})
PATIENT = frozenset({Party.PATIENT})
NOTE = frozenset({Need.NOTE})

BEFORE_ARRIVAL = (
    State.SUBMITTED,
    State.UNDER_REVIEW,
    State.RETURNED_FOR_INFO,
    State.ACCEPTED,
    State.AWAITING_SLOT,
    State.BOOKED,
    State.RESCHEDULED,
    State.NO_SHOW,
)
"""From these a cancellation is asked for: the other side has them, and the patient has not come yet."""
TO_COME = (State.ACCEPTED, State.AWAITING_SLOT, State.BOOKED, State.RESCHEDULED, State.NO_SHOW)
"""From these the patient may arrive, booked or not."""
WITH_TIME = (State.BOOKED, State.RESCHEDULED)
EXPIRING = (
    State.DRAFT,
    State.SUBMITTED,
    State.UNDER_REVIEW,
    State.RETURNED_FOR_INFO,
    State.ACCEPTED,
    State.AWAITING_SLOT,
    State.NO_SHOW,
)
CARE = (State.IN_CARE, State.INTERIM_REPORTED)
APPLICATION = frozenset({Need.FORM, Need.CRITERION, Need.CONSENT, Need.APPROVAL})

_SD, _SC = Party.SENDING_DOCTOR, Party.SENDING_COORDINATOR
_RD, _RC = Party.RECEIVING_DOCTOR, Party.RECEIVING_COORDINATOR

TABLE: tuple[Line, ...] = (
    # Apply
    Line((State.DRAFT,), Step.APPROVE, "stays", SENDERS),
    Line((State.DRAFT,), Step.SUBMIT, State.SUBMITTED, SENDERS, APPLICATION, _RC, Kind.RECEIPT),
    Line((State.RETURNED_FOR_INFO,), Step.SUBMIT, State.SUBMITTED, SENDERS, APPLICATION, _RC, Kind.RECEIPT),
    Line((State.DRAFT,), Step.DISCARD, State.CANCELLED, SENDERS),
    # Approve
    Line((State.SUBMITTED,), Step.TAKE, State.UNDER_REVIEW, RECEIVERS, frozenset(), _RC, Kind.REVIEW),
    Line(
        (State.UNDER_REVIEW,),
        Step.RETURN_FOR_INFO,
        State.RETURNED_FOR_INFO,
        RECEIVERS,
        NOTE,
        _SD,
        Kind.INFORMATION,
    ),
    Line((State.UNDER_REVIEW,), Step.REJECT, State.REJECTED, RECEIVING_COORDINATOR, NOTE),
    Line(
        (State.UNDER_REVIEW,),
        Step.REFER_ONWARD,
        State.REFERRED_ONWARD,
        RECEIVING_COORDINATOR,
        frozenset({Need.NOTE, Need.HOSPITAL}),
    ),
    Line(
        (State.UNDER_REVIEW,),
        Step.ACCEPT,
        State.ACCEPTED,
        RECEIVING_COORDINATOR,
        frozenset({Need.DEPARTMENT}),
        _RC,
        Kind.SLOT,
    ),
    # Carry through
    Line(
        (State.ACCEPTED,),
        Step.AWAIT_SLOT,
        State.AWAITING_SLOT,
        RECEIVERS | SYSTEM,
        frozenset(),
        _RC,
        Kind.SLOT,
    ),
    Line(
        (State.ACCEPTED, State.AWAITING_SLOT, State.NO_SHOW),
        Step.BOOK,
        State.BOOKED,
        RECEIVERS,
        frozenset({Need.SLOT}),
        _RC,
        Kind.ATTENDANCE,
    ),
    Line((State.BOOKED,), Step.CONFIRM, "stays", PATIENT | SENDERS),
    Line(
        (State.RESCHEDULED,),
        Step.CONFIRM,
        State.BOOKED,
        PATIENT | SENDERS,
        frozenset(),
        _RC,
        Kind.ATTENDANCE,
    ),
    Line(WITH_TIME, Step.DECLINE, State.AWAITING_SLOT, PATIENT | SENDERS, NOTE, _RC, Kind.SLOT),
    Line(
        WITH_TIME,
        Step.RESCHEDULE,
        State.RESCHEDULED,
        RECEIVERS,
        frozenset({Need.SLOT}),
        _RC,
        Kind.ATTENDANCE,
    ),
    Line(WITH_TIME, Step.MISS, State.NO_SHOW, RECEIVERS | SYSTEM, frozenset(), _RC, Kind.SLOT),
    Line(
        (*TO_COME, State.CANCEL_REQUESTED),
        Step.ARRIVE,
        State.ARRIVED,
        RECEIVERS | SYSTEM,
        frozenset(),
        _RD,
        Kind.ADMISSION,
    ),
    Line((State.ARRIVED,), Step.BEGIN_CARE, State.IN_CARE, RECEIVERS, frozenset(), _RD, Kind.REPORT),
    Line(CARE, Step.REPORT_INTERIM, State.INTERIM_REPORTED, RECEIVERS, NOTE, _RD, Kind.REPORT),
    Line(CARE, Step.RETURN_OUTCOME, State.OUTCOME_RETURNED, RECEIVERS, NOTE, _SD, Kind.ACKNOWLEDGEMENT),
    Line((State.OUTCOME_RETURNED,), Step.CLOSE, State.CLOSED, SENDERS | SYSTEM),
    # Cancel, from both sides
    Line(
        BEFORE_ARRIVAL,
        Step.REQUEST_CANCEL,
        State.CANCEL_REQUESTED,
        SENDERS | PATIENT,
        NOTE,
        _RC,
        Kind.CANCELLATION,
    ),
    Line(
        BEFORE_ARRIVAL,
        Step.REQUEST_CANCEL,
        State.CANCEL_REQUESTED,
        RECEIVING_COORDINATOR,
        NOTE,
        _SC,
        Kind.CANCELLATION,
    ),
    Line(
        (State.CANCEL_REQUESTED,),
        Step.CONFIRM_CANCEL,
        State.CANCELLED,
        RECEIVING_COORDINATOR | SYSTEM,
        asked=Side.SENDING,
    ),
    Line(
        (State.CANCEL_REQUESTED,),
        Step.CONFIRM_CANCEL,
        State.CANCELLED,
        SENDERS | SYSTEM,
        asked=Side.RECEIVING,
    ),
    Line(
        (State.CANCEL_REQUESTED,),
        Step.DECLINE_CANCEL,
        "back",
        RECEIVING_COORDINATOR,
        NOTE,
        asked=Side.SENDING,
    ),
    Line((State.CANCEL_REQUESTED,), Step.DECLINE_CANCEL, "back", SENDERS, NOTE, asked=Side.RECEIVING),
    Line((State.CANCEL_REQUESTED,), Step.WITHDRAW_CANCEL, "back", SENDERS | PATIENT, asked=Side.SENDING),
    Line(
        (State.CANCEL_REQUESTED,),
        Step.WITHDRAW_CANCEL,
        "back",
        RECEIVING_COORDINATOR,
        asked=Side.RECEIVING,
    ),
    # Deadlines, reopening, delegation
    Line(EXPIRING, Step.EXPIRE, State.EXPIRED, SYSTEM),
    Line((State.EXPIRED,), Step.REOPEN, State.DRAFT, SENDERS, NOTE, _SD, Kind.DRAFT),
    Line((State.CLOSED,), Step.REOPEN, State.IN_CARE, SENDERS | RECEIVERS, NOTE, _RD, Kind.REPORT),
    Line(
        OPEN,
        Step.DELEGATE,
        "stays",
        SENDERS | RECEIVERS,
        frozenset({Need.DELEGATE}),
        owners_side=True,
    ),
    Line(OPEN, Step.ESCALATE, "stays", SYSTEM),
)
