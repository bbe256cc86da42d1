"""What goes wrong with referrals, in the caller's terms."""

from __future__ import annotations

from consortium.errors import ConflictError, PermanentError
from consortium.referral.decide import Refusal
from consortium.referral.model import State, Step


class UnknownReferralError(PermanentError):
    """No referral has that id."""

    code = "unknown_referral"
    field = "id"


class StepRefusedError(ConflictError):
    """A step that the table does not allow; it tells the state and what can be done instead."""

    def __init__(self, refusal: Refusal, state: State, steps: tuple[Step, ...]) -> None:
        super().__init__(refusal.why.en, zh=refusal.why.zh)
        self.refusal = refusal
        self.state = state
        self.steps = steps


class FormChangedError(ConflictError):
    """The form was changed by another in between, or may not be changed any more."""
