"""One patient's day at the main campus, message after message, in the order in which it happens."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from simulators import clinic
from simulators.catalogue import Exam, LabPanel
from simulators.clinic import Department, Named, VisitClass
from simulators.main_campus import segments
from simulators.main_campus.message import EMR, HIS, LIS, RIS, Application, Message, Segment, compose, header
from simulators.main_campus.segments import Booking, Report, Visit
from simulators.people import Registration

VISIT_PREFIX: dict[VisitClass, str] = {
    "outpatient": "MZ",
    "emergency": "JZ",
    "inpatient": "ZY",
    "checkup": "TJ",
}
LAB_AUTHORS = (Named("6001", "林检"), Named("6002", "谢思敏"))
EXAM_AUTHORS = (Named("7001", "邓影"), Named("7002", "上官文"))


@dataclass(slots=True)
class Chart:
    """Where the messages of one storyline gather. `now` is the hospital's time and only goes forward."""

    name: str
    """Unique in the campus and day, as `V00012`: control ids, orders and visits are numbered by it."""
    patient: Registration
    now: datetime
    rng: random.Random
    remark: str = ""
    """What RIS adds to the findings of this patient's exams."""
    messages: list[Message] = field(default_factory=list)
    _numbered: int = 0

    def wait(self, least: int, most: int) -> None:
        """Let that many minutes pass, and a few seconds."""
        self.now += timedelta(minutes=self.rng.randint(least, most), seconds=self.rng.randint(1, 50))

    def number(self, prefix: str) -> str:
        """Return a new number of that kind."""
        self._numbered += 1
        return f"{prefix}{self.now:%y%m%d}{self.name}{self._numbered:02d}"

    def visit(self, class_: VisitClass, department: Department, bed: str = "") -> Visit:
        """Return a visit that starts now."""
        number = self.number(VISIT_PREFIX[class_])
        doctor = self.rng.choice(department.doctors)
        return Visit(number, class_, department, doctor, self.now, bed, payer=self.rng.choice(clinic.PAYERS))

    def send(
        self,
        application: Application,
        message_type: str,
        content: list[Segment],
        *others: str,
        expect: str = "recorded",
    ) -> Message:
        """Add a message sent now; `others` are numbers of further patients in it."""
        place = len(self.messages) + 1
        control_id = f"{application.code[0]}{self.now:%y%m%d}{self.name}{place:02d}"
        msh = header(application, message_type, control_id, self.now, {})
        patients = (self.patient.number, *others)
        body = compose(application, [msh, *content])
        message = Message(self.now, application.code, control_id, message_type, patients, body, expect)
        self.messages.append(message)
        return message

    def adt(self, event: str, visit: Visit, *diagnoses: Named, expect: str = "recorded") -> Message:
        """HIS tells of the visit (chapter 3)."""
        content = [
            segments.evn(HIS, event, self.now),
            segments.pid(HIS, self.patient),
            segments.pv1(HIS, visit),
        ]
        return self.send(HIS, f"ADT^{event}", content + segments.dg1(diagnoses), expect=expect)

    def merge(self, retired: str) -> None:
        """HIS gives up another number of this patient (A40)."""
        content = [segments.evn(HIS, "A40", self.now), segments.pid(HIS, self.patient), segments.mrg(retired)]
        self.send(HIS, "ADT^A40", content, retired)

    def order(
        self, application: Application, visit: Visit, item: LabPanel | Exam, priority: str = "R"
    ) -> str:
        """HIS (ORM) or EMR (OMG) orders; return the placer number."""
        number = self.number("LO" if isinstance(item, LabPanel) else "EO")
        content = [segments.pid(application, self.patient), segments.pv1(application, visit)]
        content += segments.order(application, number, item, visit, self.now, priority)
        self.send(application, "ORM^O01" if application is HIS else "OMG^O19", content)
        return number

    def lab_report(
        self,
        visit: Visit,
        order_number: str,
        panel: LabPanel,
        *,
        critical: bool = False,
        stages: str = "F",
        expect: str = "recorded",
    ) -> None:
        """LIS reports once for each stage: P preliminary, F final, C corrected (a new measurement)."""
        number, author = self.number("LR"), self.rng.choice(LAB_AUTHORS)
        observed = self.now
        values = clinic.measure(self.rng, panel, critical=critical)
        for place, stage in enumerate(stages):
            if place:
                self.wait(15, 40)
            if stage == "C":
                values = clinic.measure(self.rng, panel)
            said = Report(number, order_number, panel, author, stage)
            content = [segments.pid(LIS, self.patient), segments.pv1(LIS, visit)]
            content.append(segments.report(LIS, said, visit, observed, self.now))
            content += segments.lab_values(LIS, values, observed, stage)
            self.send(LIS, "ORU^R01", content, expect=expect)

    def exam_report(self, visit: Visit, order_number: str, exam: Exam) -> None:
        """RIS reports findings and impression."""
        said = Report(self.number("ER"), order_number, exam, self.rng.choice(EXAM_AUTHORS))
        findings, impression = clinic.findings(self.rng, exam)
        lines = (("FINDINGS", "检查所见", findings + self.remark), ("IMPRESSION", "诊断意见", impression))
        content = [segments.pid(RIS, self.patient), segments.pv1(RIS, visit)]
        content.append(segments.report(RIS, said, visit, self.now - timedelta(minutes=20), self.now))
        self.send(RIS, "ORU^R01", content + segments.text_lines(lines, "F"))

    def book(self, visit: Visit, exam: Exam, hours: int = 2) -> Booking:
        """RIS books an exam (S12)."""
        start = (self.now + timedelta(hours=hours)).replace(minute=0, second=0)
        booking = Booking(self.number("AP"), exam, start, 20, "Booked")
        self._schedule("S12", visit, booking)
        return booking

    def rebook(self, visit: Visit, booking: Booking) -> None:
        """RIS changes what it booked (S14)."""
        self._schedule("S14", visit, replace(booking, start=booking.start + timedelta(minutes=30)))

    def cancel(self, visit: Visit, booking: Booking) -> None:
        """RIS cancels what it booked (S15)."""
        self._schedule("S15", visit, replace(booking, status="Cancelled"))

    def document(self, visit: Visit, kind: Named, lines: tuple[tuple[str, str], ...]) -> None:
        """EMR notifies of a document and its content (T02)."""
        content = [
            segments.evn(EMR, "T02", self.now),
            segments.pid(EMR, self.patient),
            segments.pv1(EMR, visit),
        ]
        content.append(segments.txa(EMR, self.number("DC"), kind, visit, self.now))
        coded = tuple((f"{kind.code}-{place}", title, text) for place, (title, text) in enumerate(lines, 1))
        self.send(EMR, "MDM^T02", content + segments.text_lines(coded, "F"))

    def charge(self, visit: Visit, *items: LabPanel | Exam) -> None:
        """HIS charges the consultation and those items (P03)."""
        priced = (Named("C0001", "诊查费"), *(Named(item.codes["MAIN"], item.name) for item in items))
        content = [
            segments.evn(HIS, "P03", self.now),
            segments.pid(HIS, self.patient),
            segments.pv1(HIS, visit),
        ]
        content += segments.ft1(HIS, self.number("CH"), priced, visit, self.now)
        self.send(HIS, "DFT^P03", content)

    def _schedule(self, event: str, visit: Visit, booking: Booking) -> None:
        self.send(
            RIS, f"SIU^{event}", segments.schedule(RIS, booking, segments.pid(RIS, self.patient), visit)
        )
