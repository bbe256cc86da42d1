"""The words of a consultation between hospitals (远程会诊): states, steps, parties, needs, deadlines."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Literal

Urgency = Literal["routine", "urgent"]


class Kind(enum.StrEnum):
    """What is consulted about."""

    VIDEO = "video"
    """With the patient and the attending doctor, at an agreed time."""
    IMAGING = "imaging"
    RECORD = "record"
    """Diagnosis by the record (病历诊断)."""
    ECG = "ecg"


class State(enum.StrEnum):
    """Where a consultation stands."""

    DRAFT = "draft"
    REQUESTED = "requested"
    RETURNED = "returned"
    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    CONFIRMED = "confirmed"
    IN_SESSION = "in_session"
    OPINION_DRAFT = "opinion_draft"
    SIGNED = "signed"
    CLOSED = "closed"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    NO_SHOW = "no_show"


FINAL = frozenset({State.CLOSED, State.DECLINED, State.CANCELLED, State.EXPIRED})
"""States in which nobody owes anything any more."""
OPEN = tuple(state for state in State if state not in FINAL)


class Step(enum.StrEnum):
    """What is done to a consultation."""

    SUBMIT = "submit"
    DISCARD = "discard"
    RETURN = "return"
    DECLINE = "decline"
    ASSIGN = "assign"
    CLAIM = "claim"
    SUBSTITUTE = "substitute"
    SCHEDULE = "schedule"
    RESCHEDULE = "reschedule"
    CONFIRM = "confirm"
    REFUSE_TIME = "refuse_time"
    BEGIN = "begin"
    MISS = "miss"
    END_SESSION = "end_session"
    WRITE = "write"
    SIGN = "sign"
    EVALUATE = "evaluate"
    CHARGE = "charge"
    CLOSE = "close"
    CANCEL = "cancel"
    EXPIRE = "expire"
    ESCALATE = "escalate"


class Side(enum.StrEnum):
    """Which end of the consultation."""

    REQUESTING = "requesting"
    CONSULTING = "consulting"
    PATIENT = "patient"
    SYSTEM = "system"


class Party(enum.StrEnum):
    """Who acts."""

    REQUESTING_DOCTOR = "requesting_doctor"
    REQUESTING_COORDINATOR = "requesting_coordinator"
    EXPERT = "expert"
    """One of those who were assigned, of whichever hospital."""
    CONSULTING_DOCTOR = "consulting_doctor"
    """A doctor of the asked hospital who is not assigned."""
    CONSULTING_COORDINATOR = "consulting_coordinator"
    PATIENT = "patient"
    SYSTEM = "system"

    @property
    def side(self) -> Side:
        """Return the end of the consultation that it stands at."""
        return Side.CONSULTING if self is Party.EXPERT else Side(self.value.partition("_")[0])


class Need(enum.StrEnum):
    """What must be there before a step is taken."""

    NOTE = "note"
    QUESTION = "question"
    CONSENT = "consent"
    MATERIAL = "material"
    EXPERT = "expert"
    UNASSIGNED = "unassigned"
    """No expert is assigned yet, at most a department."""
    SLOTS = "slots"
    LAST_WORD = "last_word"
    """Everybody else whose time it is has confirmed."""
    OPINION = "opinion"
    RATING = "rating"
    FEE = "fee"


class Deadline(enum.StrEnum):
    """What a deadline is for."""

    DRAFT = "draft"
    TRIAGE = "triage"
    INFORMATION = "information"
    SCHEDULING = "scheduling"
    CONFIRMATION = "confirmation"
    ATTENDANCE = "attendance"
    SESSION = "session"
    OPINION = "opinion"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class Place:
    """A state with who owns it and which deadline runs there; neither in a final state."""

    state: State
    owner: Party | None
    deadline: Deadline | None


@dataclass(frozen=True, slots=True)
class Standing:
    """All that the table needs to know of a consultation."""

    kind: Kind
    urgency: Urgency
    place: Place

    @property
    def state(self) -> State:
        """Return the state."""
        return self.place.state

    @property
    def final(self) -> bool:
        """Whether nobody owes anything any more."""
        return self.place.state in FINAL

    def at(self, place: Place) -> Standing:
        """Return how it stands there."""
        return replace(self, place=place)


BEGINNING = Place(State.DRAFT, Party.REQUESTING_DOCTOR, Deadline.DRAFT)
"""Where a consultation stands that was just begun."""
