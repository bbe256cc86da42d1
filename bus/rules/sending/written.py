"""A destination where writing a second time is writing once, unless it is asked what is there."""

from __future__ import annotations

from typing import Any, Self

from pydantic import model_validator

from bus.rules.sending.base import Destination
from bus.rules.sending.verify import Verify


class WrittenDestination(Destination):
    """What was not confirmed is written again; with `verify` it is looked for, and not written blindly."""

    resend_ambiguous: bool = True
    verify: Verify | None = None

    @model_validator(mode="before")
    @classmethod
    def _settled_by_asking(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("verify") is not None:
            return {"resend_ambiguous": False, **data}
        return data

    @model_validator(mode="after")
    def _asked_or_again(self) -> Self:
        if self.verify is not None and self.resend_ambiguous:
            raise ValueError("verify: it is written again without asking; take out resend_ambiguous")
        return self

    @property
    def verification(self) -> Verify | None:
        """See `Destination`."""
        return self.verify
