"""A change as one HL7 v2 message."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

from bus.hl7.build import components
from bus.hl7.problem import SEGMENT_SEQUENCE, HL7Error
from bus.hl7.writing import charges, documents, orders, patient, results, scheduling
from bus.hl7.writing.fields import Segment, encoded, segment, text, time
from consortium.records.model import Change, Kind

T = TypeVar("T")
Version = Literal["2.4", "2.5"]
APPLICATION = "YILIAN"
"""MSH-3 of what the platform writes."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What the message says of itself."""

    facility: str
    """Campus code that the change comes from (MSH-4)."""
    domain: str
    """Object identifier of its patient numbers."""
    control_id: str
    """MSH-10: the same whenever the same is sent."""
    at: datetime
    """When the platform received it (MSH-7)."""
    version: Version = "2.5"
    charset: str = "UNICODE UTF-8"
    """MSH-18, a name of table 0211."""
    receiving_application: str = ""
    receiving_facility: str = ""


@dataclass(frozen=True, slots=True)
class _Body:
    type: str
    event: str
    structure: str
    segments: Iterable[Segment]


def write(change: Change, heading: Heading) -> bytes:
    """Return the message that says what a change says.

    Raises:
        HL7Error: a character that the charset lacks (`unencodable`), with its field; several documents or
            appointments in one change (`several_subjects`): HL7 v2 has a message for each; a procedure or an
            allergy (`not_in_v2`).
    """
    body = _body(change, heading)
    identity = patient.pid(change.patient, heading.facility, heading.domain)
    evn = segment("EVN", {1: body.event, 2: time(heading.at)})
    head = [_msh(body, heading), *([evn] if body.type in ("ADT", "DFT", "MDM") else [])]
    if body.type == "SIU":  # the schedule goes before the patient
        [appointment] = change.appointments
        segments = [*head, scheduling.schedule(appointment), identity, *body.segments]
    else:
        segments = [*head, identity, *body.segments]
    return encoded(segments, heading.charset)


def _body(change: Change, heading: Heading) -> _Body:
    visit = [patient.pv1(change.encounter, change.patient.vip)]
    stay = visit if change.encounter or change.patient.vip is not None else []
    match change.kind:
        case Kind.ORDER:
            name = orders.name(change.orders, heading.version)
            return _Body(*name, [*stay, *orders.orders(change.orders)])
        case Kind.REPORT:
            return _Body("ORU", "R01", "ORU_R01", [*stay, *results.reports(change.reports)])
        case Kind.CHARGE:
            return _Body("DFT", "P03", "DFT_P03", [*stay, *charges.charges(change.charges)])
        case Kind.DOCUMENT:
            document = _only(change.documents, "TXA")
            event = documents.event(document)
            structure = "MDM_T01" if event in ("T01", "T09", "T11") else "MDM_T02"
            return _Body("MDM", event, structure, [*visit, *documents.document(document)])
        case Kind.APPOINTMENT:
            booked = _only(change.appointments, "SCH")
            segments = [*stay, *scheduling.resources(booked)]
            return _Body("SIU", scheduling.event(booked), "SIU_S12", segments)
        case Kind.PROCEDURE | Kind.ALLERGY:
            reason = f"HL7 v2 has no message that says all of the kind {change.kind.value}: send FHIR"
            raise HL7Error("not_in_v2", reason, SEGMENT_SEQUENCE, "MSH-9")
    return _adt(change, heading, visit)


def _adt(change: Change, heading: Heading, visit: list[Segment]) -> _Body:
    event = patient.event(change)
    if change.merge is not None:
        told = visit if change.patient.vip is not None else []
        segments = [patient.mrg(change.merge.retired, heading.facility, heading.domain), *told]
    else:
        diagnoses = patient.dg1(change.encounter) if change.encounter else []
        segments = [*visit, *diagnoses]
    return _Body("ADT", event, patient.STRUCTURES[event], segments)


def _msh(body: _Body, heading: Heading) -> Segment:
    fields = {
        1: "^~\\&",
        2: APPLICATION,
        3: text(heading.facility),
        4: text(heading.receiving_application),
        5: text(heading.receiving_facility),
        6: time(heading.at),
        8: components(body.type, body.event, body.structure),
        9: text(heading.control_id),
        10: "P",
        11: heading.version,
        16: "CHN",
        17: heading.charset,
    }
    return segment("MSH", fields)


def _only(found: tuple[T, ...], name: str) -> T:
    if len(found) != 1:
        reason = (
            f"the change has {len(found)} of what {name} says, and HL7 v2 has a message for each: send FHIR"
        )
        raise HL7Error("several_subjects", reason, SEGMENT_SEQUENCE, name)
    return found[0]
