"""From the bytes of one message to an arrival: what is known of it, and whether it may come in."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from adapters.tls import Sender
from bus.envelope import Arrival
from bus.hl7.header import Header, peek
from bus.hl7.problem import UNKNOWN_KEY, UNSUPPORTED_EVENT, UNSUPPORTED_TYPE, HL7Error

_TABLE = Path(__file__).parent / "message_types.csv"


def _expanded(events: str) -> Iterator[str]:
    for part in events.split():
        first, _, last = part.partition("-")
        letters = first.rstrip("0123456789")
        digits = first.removeprefix(letters)
        for number in range(int(digits), int((last or first).removeprefix(letters)) + 1):
            yield f"{letters}{number:0{len(digits)}d}"


@lru_cache(maxsize=1)
def known_types() -> frozenset[str]:
    """Return the message types that are taken, as `ADT^A01`, from message_types.csv."""
    with _TABLE.open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    return frozenset(f"{row['code']}^{event}" for row in rows for event in _expanded(row["events"]))


def check(header: Header, campuses: Mapping[str, str]) -> None:
    """Raise HL7Error, unknown_campus or unknown_type, for what may not come in."""
    if header.facility not in campuses:
        reason = f"MSH-4 names no campus of the consortium; it knows {', '.join(sorted(campuses))}"
        raise HL7Error("unknown_campus", reason, UNKNOWN_KEY, "MSH-4")
    if header.message_type not in known_types():
        raise _unknown_type(header.message_type)


def _unknown_type(message_type: str) -> HL7Error:
    code = message_type.partition("^")[0]
    if code in {known.partition("^")[0] for known in known_types()}:
        reason = "MSH-9 names an event that is not taken here; see adapters/mllp/message_types.csv"
        return HL7Error("unknown_type", reason, UNSUPPORTED_EVENT, "MSH-9")
    if code in {"QBP", "QRY", "QCN"}:
        reason = "MSH-9 is a question, and this listener takes messages only: ask at the query endpoints"
    else:
        reason = "MSH-9 is a message type that is not taken here; see adapters/mllp/message_types.csv"
    return HL7Error("unknown_type", reason, UNSUPPORTED_TYPE, "MSH-9")


def read(
    raw: bytes, campuses: Mapping[str, str], endpoint: str, sender: Sender | None = None
) -> tuple[Header, Arrival]:
    """Read one message. Raises HL7Error for one that cannot be taken, or not from this sender."""
    header = peek(raw, campuses)
    check(header, campuses)
    if sender is not None:
        sender.check(header.facility)
    arrival = Arrival(
        facility=header.facility,
        sender=header.sender,
        control_id=header.control_id,
        message_type=header.message_type,
        body=raw,
        charset=header.codec,
        protocol="mllp",
        endpoint=endpoint,
        digest=header.digest,
        patient_number=header.patient_number,
        other_patient_number=header.other_patient_number,
        further_patient_numbers=header.further_patient_numbers,
        visit_number=header.visit_number,
        message_time=header.message_time,
    )
    return header, arrival
