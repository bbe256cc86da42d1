"""What goes wrong with referrals, in the caller's terms."""

from __future__ import annotations

from collections.abc import Mapping

from consortium.errors import ConflictError, PermanentError
from consortium.referral.decide import Refusal
from consortium.referral.model import State, Step


class UnknownReferralError(PermanentError):
    """No referral has that id."""

    code = "unknown_referral"
    field = "id"


class StepRefusedError(ConflictError):
    """A step that the table does not allow; it tells the state and what can be done instead."""

    def __init__(
        self,
        refusal: Refusal,
        state: State,
        steps: tuple[Step, ...],
        current: Mapping[str, str | None] | None = None,
    ) -> None:
        """`current`: how the slot stands that the step wanted."""
        super().__init__(refusal.why.en, zh=refusal.why.zh)
        self.refusal = refusal
        self.state = state
        self.steps = steps
        self.current = dict(current or {})


class SlotRefusedError(ConflictError):
    """The slot that a step wants cannot be had; `current` says how it stands."""

    def __init__(self, en: str, zh: str, current: Mapping[str, str | None]) -> None:
        super().__init__(en, zh=zh)
        self.current = dict(current)


class FormChangedError(ConflictError):
    """The form was changed by another in between, or may not be changed any more."""
