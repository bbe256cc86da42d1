"""Messages whose loss, repetition or wrong order can be proved afterwards.

Each patient is corrected again and again (ADT^A31), each time with the next telephone number, so the history
of the patient must show exactly the numbers 0, 1, 2 … in inbox order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HAZARDS = "珅喆镕堃淼犇𠮷"
"""Names from characters that break careless decoders."""


@dataclass(frozen=True, slots=True)
class Message:
    """One correction of one patient."""

    patient: int
    step: int

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return f"F{self.patient:04d}S{self.step:04d}"

    @property
    def number(self) -> str:
        """The patient's number in the campus."""
        return f"P{self.patient:05d}"

    @property
    def phone(self) -> str:
        """What this correction says."""
        return f"1{self.patient:04d}{self.step:06d}"

    def frame(self, attempt: int) -> bytes:
        """Return the MLLP frame; a retry has another time of message, as senders do."""
        name = HAZARDS[self.patient % len(HAZARDS)]
        text = (
            f"MSH|^~\\&|HIS|MAIN|YILIAN|GROUP|202611230800{attempt % 60:02d}||ADT^A31|{self.control_id}|P|2.4"
            "||||||UNICODE UTF-8\r"
            f"PID|1||{self.number}^^^MAIN^MR||张^{name}||19800506|M|||^^广州||{self.phone}\r"
        )
        return b"\x0b" + text.encode() + b"\x1c\r"


@dataclass(frozen=True, slots=True)
class Traffic:
    """All messages, by the connection that sends them; a patient stays on one connection."""

    connections: tuple[tuple[Message, ...], ...]

    @property
    def messages(self) -> list[Message]:
        """All of them."""
        return [message for plan in self.connections for message in plan]

    def phones(self) -> dict[str, list[str]]:
        """Return for each patient's number what its history must show, in order."""
        shown: dict[str, list[str]] = {}
        for message in self.messages:
            shown.setdefault(message.number, []).append(message.phone)
        return shown


def traffic(count: int, connections: int = 16, patients_each: int = 4) -> Traffic:
    """Return at least `count` messages: every patient has as many, taking turns on their connection."""
    steps = max(1, -(-count // (connections * patients_each)))
    return Traffic(tuple(_plan(place, patients_each, steps) for place in range(connections)))


def _plan(place: int, patients: int, steps: int) -> tuple[Message, ...]:
    ours: Sequence[int] = range(place * patients, (place + 1) * patients)
    return tuple(Message(patient, step) for step in range(steps) for patient in ours)
