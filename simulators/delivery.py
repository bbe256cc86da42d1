"""What a campus was answered, message by message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class SimulatorError(Exception):
    """The day cannot be played on; the text says what failed, where, and what to do."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The receiver's answer, in its protocol's own terms."""

    accepted: bool
    code: str
    """AA, or why it was refused: unknown_type, schema …"""
    text: str = ""
    """For a person."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message sent, and its answer."""

    sender: str
    control_id: str
    expect: str
    """`recorded`, `held:CODE`, `refused:CODE` or `duplicate`."""
    answer: Answer


Progress = Callable[[str], None]
"""Takes a line for a person."""
