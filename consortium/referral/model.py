"""The words of two-way referral (双向转诊): states, steps, parties, what a step needs, deadlines."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Literal


class State(enum.StrEnum):
    """Where a referral stands. Escalation is a flag beside it, and delegation changes the owner alone."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    UNDER_REVIEW = "under_review"
    RETURNED_FOR_INFO = "returned_for_info"
    REJECTED = "rejected"
    REFERRED_ONWARD = "referred_onward"
    ACCEPTED = "accepted"
    AWAITING_SLOT = "awaiting_slot"
    BOOKED = "booked"
    RESCHEDULED = "rescheduled"
    NO_SHOW = "no_show"
    ARRIVED = "arrived"
    IN_CARE = "in_care"
    INTERIM_REPORTED = "interim_reported"
    OUTCOME_RETURNED = "outcome_returned"
    CLOSED = "closed"
    CANCEL_REQUESTED = "cancel_requested"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


FINAL = frozenset({State.REJECTED, State.REFERRED_ONWARD, State.CLOSED, State.CANCELLED, State.EXPIRED})
"""States in which nobody owes anything; from some of them a referral is reopened."""
OPEN = tuple(state for state in State if state not in FINAL)


class Step(enum.StrEnum):
    """What is done to a referral."""

    APPROVE = "approve"
    SUBMIT = "submit"
    DISCARD = "discard"
    TAKE = "take"
    RETURN_FOR_INFO = "return_for_info"
    REJECT = "reject"
    REFER_ONWARD = "refer_onward"
    ACCEPT = "accept"
    AWAIT_SLOT = "await_slot"
    BOOK = "book"
    CONFIRM = "confirm"
    DECLINE = "decline"
    RESCHEDULE = "reschedule"
    MISS = "miss"
    ARRIVE = "arrive"
    BEGIN_CARE = "begin_care"
    REPORT_INTERIM = "report_interim"
    RETURN_OUTCOME = "return_outcome"
    CLOSE = "close"
    REQUEST_CANCEL = "request_cancel"
    CONFIRM_CANCEL = "confirm_cancel"
    DECLINE_CANCEL = "decline_cancel"
    WITHDRAW_CANCEL = "withdraw_cancel"
    EXPIRE = "expire"
    REOPEN = "reopen"
    DELEGATE = "delegate"
    ESCALATE = "escalate"


class Side(enum.StrEnum):
    """Which end of the referral."""

    SENDING = "sending"
    RECEIVING = "receiving"
    PATIENT = "patient"
    SYSTEM = "system"


class Party(enum.StrEnum):
    """Who acts: a role at a side."""

    SENDING_DOCTOR = "sending_doctor"
    SENDING_COORDINATOR = "sending_coordinator"
    RECEIVING_DOCTOR = "receiving_doctor"
    RECEIVING_COORDINATOR = "receiving_coordinator"
    PATIENT = "patient"
    SYSTEM = "system"

    @property
    def side(self) -> Side:
        """Return the end of the referral that it stands at."""
        return Side(self.value.partition("_")[0])


class Need(enum.StrEnum):
    """What must be there before a step is taken."""

    NOTE = "note"
    FORM = "form"
    CRITERION = "criterion"
    CONSENT = "consent"
    APPROVAL = "approval"
    DEPARTMENT = "department"
    SLOT = "slot"
    HOSPITAL = "hospital"
    DELEGATE = "delegate"


class Kind(enum.StrEnum):
    """What a deadline is for."""

    DRAFT = "draft"
    RECEIPT = "receipt"
    REVIEW = "review"
    INFORMATION = "information"
    SLOT = "slot"
    ATTENDANCE = "attendance"
    ADMISSION = "admission"
    REPORT = "report"
    ACKNOWLEDGEMENT = "acknowledgement"
    CANCELLATION = "cancellation"


Urgency = Literal["routine", "urgent", "emergency"]
Direction = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Words:
    """The same in English and Chinese."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Place:
    """A state with who owns it and which deadline runs there; neither in a final state."""

    state: State
    owner: Party | None
    deadline: Kind | None


@dataclass(frozen=True, slots=True)
class Standing:
    """All that the table needs to know of a referral."""

    place: Place
    resume: Place | None = None
    """Where it stood before its cancellation was asked for."""
    asked: Side | None = None
    """The side that asked for the cancellation."""

    @property
    def state(self) -> State:
        """Return the state."""
        return self.place.state

    @property
    def final(self) -> bool:
        """Whether nobody owes anything any more."""
        return self.place.state in FINAL


BEGINNING = Standing(Place(State.DRAFT, Party.SENDING_DOCTOR, Kind.DRAFT))
"""A referral that was just begun."""
