"""What a benchmark says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from consortium.errors import PermanentError


class MissingError(PermanentError):
    """Something that a benchmark needs is not on this machine."""


@dataclass(frozen=True, slots=True)
class Result:
    """One figure beside its control, measured in the same run."""

    name: str
    figure: float
    unit: str
    control: float
    control_name: str
    ratio: float
    """Ours to the control; above 1 where ours is better."""
    conditions: Mapping[str, Any]
    """Whatever one needs to know to believe the figure: the machine, the load, every median."""

    def line(self) -> dict[str, Any]:
        """Return it as the contract's object."""
        return asdict(self)
