"""The segments that the main campus's applications fill (HL7 v2.4 and v2.5, chapters 3, 4, 6, 7, 9, 10)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from simulators.catalogue import Exam, LabPanel
from simulators.clinic import Department, Named, Value, VisitClass, price
from simulators.main_campus.message import Application, FieldValue, Segment, segment
from simulators.people import Registration

SEX = {"male": "M", "female": "F", "unknown": "U"}
CLASS: dict[VisitClass, str] = {"outpatient": "O", "emergency": "E", "inpatient": "I", "checkup": "P"}
MAIN_ITEMS = "MAINLIS"


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit to the main campus."""

    number: str
    class_: VisitClass
    department: Department
    doctor: Named
    start: datetime
    bed: str = ""
    end: datetime | None = None
    payer: str = "自费"

    def ended(self, at: datetime) -> Visit:
        """Return the visit as it is after its end."""
        return replace(self, end=at)


def evn(application: Application, event: str, at: datetime) -> Segment:
    """Return the event segment."""
    return segment("EVN", {1: event, 2: application.time(at)})


def pid(application: Application, patient: Registration) -> Segment:
    """Return the patient, with the ID card as a second identifier where there is one."""
    identifiers: list[str | tuple[str | tuple[str, ...], ...]] = [(patient.number, "", "", "MAIN", "MR")]
    if patient.id_card:
        identifiers.append((patient.id_card, "", "", ("", "2.16.156.10011.1.3", "ISO"), "NI"))
    fields: dict[int, FieldValue] = {
        1: "1",
        3: identifiers,
        5: (patient.name.family, patient.name.given),
        7: f"{patient.birth_date:%Y%m%d}" if patient.birth_date else "",
        8: SEX[patient.sex],
        11: (patient.address or "",),
        13: (patient.phone or "",),
    }
    if application.version == "2.5" and patient.sex == "unknown":
        fields[32] = "UD"  # identity unknown to the hospital (table 0445)
    return segment("PID", fields)


def mrg(number: str) -> Segment:
    """Return the number that is given up."""
    return segment("MRG", {1: (number, "", "", "MAIN", "MR")})


def pv1(application: Application, visit: Visit) -> Segment:
    """Return the visit."""
    department = visit.department
    place = (department.code, visit.bed[:3], visit.bed) if visit.bed else (department.code,)
    return segment(
        "PV1",
        {
            1: "1",
            2: CLASS[visit.class_],
            3: place,
            7: (visit.doctor.code, visit.doctor.name),
            10: (department.code, department.name),
            19: (visit.number, "", "", "MAIN", "VN"),
            44: application.time(visit.start),
            45: application.time(visit.end) if visit.end else "",
        },
    )


def dg1(diagnoses: Iterable[Named]) -> list[Segment]:
    """Return a diagnosis segment for each."""
    return [
        segment("DG1", {1: str(place), 3: (diagnosis.code, diagnosis.name, "I10"), 6: "F"})
        for place, diagnosis in enumerate(diagnoses, 1)
    ]


def order(
    application: Application, number: str, item: LabPanel | Exam, visit: Visit, at: datetime, priority: str
) -> list[Segment]:
    """Return ORC and OBR of a new order."""
    doctor = (visit.doctor.code, visit.doctor.name)
    when = ("", "", "", application.time(at), "", priority)
    orc = segment("ORC", {1: "NW", 2: number, 5: "SC", 7: when, 9: application.time(at), 12: doctor})
    section = "LAB" if isinstance(item, LabPanel) else service_section(item)
    code = (item.codes["MAIN"], item.name, MAIN_ITEMS)
    return [orc, segment("OBR", {1: "1", 2: number, 4: code, 5: priority, 16: doctor, 24: section})]


def service_section(exam: Exam) -> str:
    """Return OBR-24 for an exam, as MAIN writes it."""
    return {"DX": "RAD"}.get(exam.modality, exam.modality)


@dataclass(frozen=True, slots=True)
class Report:
    """What OBR says of a report."""

    number: str
    order_number: str
    item: LabPanel | Exam
    author: Named
    status: str = "F"


def report(
    application: Application, said: Report, visit: Visit, observed: datetime, issued: datetime
) -> Segment:
    """Return the OBR of a report."""
    section = "LAB" if isinstance(said.item, LabPanel) else service_section(said.item)
    return segment(
        "OBR",
        {
            1: "1",
            2: said.order_number,
            3: said.number,
            4: (said.item.codes["MAIN"], said.item.name, MAIN_ITEMS),
            7: application.time(observed),
            16: (visit.doctor.code, visit.doctor.name),
            22: application.time(issued),
            24: section,
            25: said.status,
            32: ((said.author.code, said.author.name),),
        },
    )


def lab_values(
    application: Application, values: Iterable[Value], observed: datetime, status: str
) -> list[Segment]:
    """Return an OBX for each value."""
    return [
        segment(
            "OBX",
            {
                1: str(place),
                2: "NM" if value.item.low is not None else "ST",
                3: (value.item.codes["MAIN"], value.item.name, MAIN_ITEMS),
                5: value.text,
                6: value.item.unit,
                7: value.item.reference_range,
                8: value.flag,
                11: status,
                14: application.time(observed),
            },
        )
        for place, value in enumerate(values, 1)
    ]


def text_lines(lines: Iterable[tuple[str, str, str]], status: str) -> list[Segment]:
    """Return an OBX of type TX for each (code, name, text)."""
    return [
        segment("OBX", {1: str(place), 2: "TX", 3: (code, name), 5: text, 11: status})
        for place, (code, name, text) in enumerate(lines, 1)
    ]


def ft1(
    application: Application, number: str, items: Iterable[Named], visit: Visit, at: datetime
) -> list[Segment]:
    """Return a charge line for each item; amounts in yuan."""
    return [
        segment(
            "FT1",
            {
                1: str(place),
                2: f"{number}-{place}",
                4: application.time(at),
                6: "CG",
                7: (item.code, item.name),
                10: "1",
                11: ((f"{price(item.code) / 100:.2f}", "CNY"),),
                14: ("", visit.payer),
                21: (visit.doctor.code, visit.doctor.name),
            },
        )
        for place, item in enumerate(items, 1)
    ]


@dataclass(frozen=True, slots=True)
class Booking:
    """An appointment for an exam."""

    number: str
    exam: Exam
    start: datetime
    minutes: int
    status: str
    """Booked, Cancelled (table 0278)."""


def schedule(application: Application, booking: Booking, patient: Segment, visit: Visit) -> list[Segment]:
    """Return the segments of an SIU; `patient` is the PID segment."""
    start = application.time(booking.start)
    minutes = str(booking.minutes)
    item = (booking.exam.codes["MAIN"], booking.exam.name)
    sch: dict[int, FieldValue] = {
        1: booking.number,
        2: booking.number,
        7: item,
        9: minutes,
        10: "min",
        11: ("", "", minutes, start),
        25: booking.status,
    }
    return [
        segment("SCH", sch),
        patient,
        segment("RGS", {1: "1", 2: "A"}),
        segment("AIS", {1: "1", 2: "A", 3: item, 4: start, 7: minutes, 8: "min"}),
        segment("AIP", {1: "1", 2: "A", 3: (visit.doctor.code, visit.doctor.name)}),
    ]


def txa(application: Application, number: str, kind: Named, visit: Visit, at: datetime) -> Segment:
    """Return the header of a document."""
    doctor = (visit.doctor.code, visit.doctor.name)
    return segment(
        "TXA",
        {
            1: "1",
            2: (kind.code, kind.name),
            3: "TX",
            4: application.time(at),
            6: application.time(at),
            9: doctor,
            12: (number,),
            16: f"{number}.txt",
            17: "LA",
            19: "AV",
        },
    )
