"""The notices as HL7 v2.5: pure (IHE ITI TF-2: 3.10.4.1.2, 3.64.4.1.2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bus.hl7.build import escape
from bus.hl7.writing.fields import Segment, encoded, segment, time
from bus.pix.domains import CONSORTIUM, Identifier
from bus.rules.sending.mllp import MllpDestination

NO_NAME = " "
"""PID-5 of a notice: one blank, because the campuses may write the name in different ways (3.10.4.1.2.3)."""


def link_changed(
    identifiers: Sequence[Identifier], to: MllpDestination, control_id: str, at: datetime
) -> bytes:
    """Return ADT^A31 with the identifiers that are one person now (ITI-10)."""
    pid = segment("PID", {3: "~".join(one.cx for one in identifiers), 5: NO_NAME})
    pv1 = segment("PV1", {2: "N"})
    return _message("A31", "ADT_A05", [pid, pv1], to, control_id, at)


def person_changed(
    new: Sequence[Identifier], old: Sequence[Identifier], to: MllpDestination, control_id: str, at: datetime
) -> bytes:
    """Return ADT^A43: `new` is the person's consortium id and the local number, `old` the id before, and the
    local number that was merged into it, if one was (ITI-64).
    """
    pid = segment("PID", {3: "~".join(one.cx for one in new), 5: NO_NAME})
    mrg = segment("MRG", {1: "~".join(one.cx for one in old)})
    return _message("A43", "ADT_A43", [pid, mrg], to, control_id, at)


def _message(
    event: str, structure: str, body: Sequence[Segment], to: MllpDestination, control_id: str, at: datetime
) -> bytes:
    msh = segment(
        "MSH",
        {
            1: "^~\\&",
            2: "YILIAN",
            3: CONSORTIUM,
            4: escape(to.hl7.receiving_application),
            5: escape(to.hl7.receiving_facility),
            6: time(at.replace(microsecond=0)),
            8: f"ADT^{event}^{structure}",
            9: control_id,
            10: "P",
            11: "2.5",
            17: to.hl7.charset,
        },
    )
    evn = segment("EVN", {2: time(at.replace(microsecond=0))})
    return encoded([msh, evn, *body], to.hl7.charset)
