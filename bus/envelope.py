"""What an adapter hands to the bus, and what it gets back."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class Arrival(NamedTuple):
    """One message as it reached an adapter: its bytes, untouched, and what routing needs to know of them."""

    facility: str
    """Campus code of the sender: MAIN, HP, HY, NS (MSH-4's namespace)."""
    sender: str
    """Sending application (MSH-3), or the interface's name where the protocol has none."""
    control_id: str
    """MSH-10, or the id by which the sender knows this message."""
    message_type: str
    """`ADT^A01` for HL7 v2; `soap:patient`, `rest:order`, `table:lab_result` for the others."""
    body: bytes
    charset: str
    """Python codec name by which `body` decodes."""
    protocol: str
    """mllp, soap, rest, tables, files."""
    endpoint: str
    """The listener or poller that took it."""
    digest: bytes
    """32 bytes over the body without what a retry changes (MSH-7)."""
    patient_number: str | None = None
    other_patient_number: str | None = None
    """The second patient of a merge or link (MRG-1)."""
    visit_number: str | None = None
    message_time: str | None = None
    """When the sender made it, as written (MSH-7)."""
    further_patient_numbers: tuple[str, ...] = ()
    """Of a message about several patients, the others (PID-3 of each further PID), as far as it says so."""


class Outcome(enum.Enum):
    """What the inbox did with an arrival. All three are committed, so all three are accepted."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    """The same control id and content within the window: no second effect."""
    CONFLICT = "conflict"
    """A known control id with other content: stored, held for a person, alerted."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The inbox's answer, given after the commit."""

    id: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was not accepted, and why; kept so that it can be found again."""

    protocol: str
    endpoint: str
    peer: str
    """Address of the sender, host:port."""
    code: str
    """Machine-readable reason: framing, missing_msh, unknown_charset, unknown_type, too_large …"""
    reason: str
    """Sentence for a person; holds no patient data."""
    body: bytes
    """What arrived, cut at the endpoint's keeping limit."""
    size: int
    """How many bytes arrived in all, as far as known."""
    facility: str | None = None
    control_id: str | None = None
    message_type: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A message read back from the inbox."""

    id: int
    received_at: datetime
    facility: str
    sender: str
    control_id: str
    message_type: str
    protocol: str
    endpoint: str
    charset: str
    patient_number: str | None
    visit_number: str | None
    message_time: str | None
    body: bytes | None
    """None: retention dropped it."""
