"""What goes wrong with consultations, in the caller's terms."""

from __future__ import annotations

from consortium.errors import ConflictError, PermanentError
from consortium.teleconsult.decide import Refusal
from consortium.teleconsult.model import State, Step


class UnknownConsultationError(PermanentError):
    """No consultation has that id."""

    code = "unknown_consultation"
    field = "id"


class StepRefusedError(ConflictError):
    """A step that the table does not allow; it tells the state and what can be done instead."""

    def __init__(self, refusal: Refusal, state: State, steps: tuple[Step, ...]) -> None:
        super().__init__(refusal.why.en, zh=refusal.why.zh)
        self.refusal = refusal
        self.state = state
        self.steps = steps


class RequestChangedError(ConflictError):
    """The request was changed by another in between, or may not be changed any more."""
