"""One patient's day at Huiya, as rows inserted, changed and removed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Literal

from simulators import clinic
from simulators.catalogue import Exam, LabPanel
from simulators.clinic import Department, Value
from simulators.clock import LOCAL
from simulators.people import Registration

SEX = {"male": "1", "female": "2", "unknown": "0"}

Phase = Literal[0, 1, 2]
"""0: the day as it goes. 1: what is corrected later. 2: what is taken back or removed."""
OPENINGS = {0: time(8), 1: time(16), 2: time(18)}

Cell = str | int | datetime | None


@dataclass(frozen=True, slots=True)
class Edit:
    """One row inserted, changed or removed. Each is one version that a reader must get to see."""

    phase: Phase
    table: str
    key: str
    row: Mapping[str, Cell] | None
    """The columns that are set; None: the row is removed."""
    updated_at: datetime
    expect: str = "recorded"
    """`recorded` or `held:CODE`."""


@dataclass(slots=True)
class Desk:
    """Where the edits of one patient gather."""

    name: str
    patient: Registration
    department: Department
    rng: random.Random
    today: date
    edits: list[Edit] = field(default_factory=list)

    def number(self, kind: str) -> str:
        """Return this patient's number of that kind; the day and the patient are in it."""
        return f"{kind}{self.today:%y%m%d}{self.name}"

    def stamp(self, phase: Phase) -> datetime:
        """Return a time of that phase, after this patient's earlier edits."""
        minutes = 2 * len(self.edits) + self.rng.randrange(0, 2)
        opening = datetime.combine(self.today, OPENINGS[phase], LOCAL)
        return opening + timedelta(minutes=minutes, milliseconds=self.rng.randrange(60_000))

    def put(
        self, phase: Phase, table: str, key: str, row: Mapping[str, Cell], expect: str = "recorded"
    ) -> None:
        """Insert a row, or change those columns of it."""
        self.edits.append(Edit(phase, table, key, row, self.stamp(phase), expect))

    def remove(self, table: str, key: str) -> None:
        """Remove a row."""
        self.edits.append(Edit(2, table, key, None, self.stamp(2)))

    def register(self, expect: str = "recorded", **changed: str) -> None:
        """Insert the patient."""
        known = self.patient
        row: dict[str, Cell] = {
            "name": str(known.name),
            "sex": SEX[known.sex],
            "birth_date": known.birth_date.isoformat() if known.birth_date else None,
            "id_card": known.id_card,
            "phone": known.phone,
            "address": known.address,
        }
        self.put(0, "patient", known.number, row | changed, expect)

    def admit(self, visit_type: str, start: str, expect: str = "recorded") -> None:
        """Insert the visit."""
        doctor, diagnosis = self._doctor(), self.rng.choice(self.department.diagnoses)
        row: dict[str, Cell] = {
            "patient_no": self.patient.number,
            "visit_type": visit_type,
            "dept_code": self.department.code,
            "dept_name": self.department.name,
            **doctor,
            "start_time": start,
            "diagnosis_code": diagnosis.code,
            "diagnosis_name": diagnosis.name,
            "status": "在诊",
        }
        self.put(0, "visit", self.number("YV"), row, expect)

    def order(self, panel: LabPanel) -> None:
        """Insert the lab order."""
        row: dict[str, Cell] = {
            **self._panel(panel),
            "priority": "普通",
            "status": "申请",
            "ordered_at": self.at("09:10:00"),
            **self._doctor(),
        }
        self.put(0, "lab_order", self.number("YO"), row)

    def result(self, panel: LabPanel, line: int, value: Value) -> None:
        """Insert one line of the lab report."""
        row: dict[str, Cell] = {
            **self._panel(panel),
            "report_no": self.number("YL"),
            "order_no": self.number("YO"),
            "item_code": value.item.codes["HY"],
            "item_name": value.item.name,
            "value": value.text,
            "unit": value.item.unit or None,
            "reference_range": value.item.reference_range,
            "abnormal": value.flag,
            "status": "审核",
            "reported_at": self.at("10:30:00"),
            **self._doctor(),
        }
        self.put(0, "lab_result", f"{self.number('YL')}-{line}", row)

    def examine(self, exam: Exam) -> None:
        """Insert the exam report."""
        findings, conclusion = clinic.findings(self.rng, exam)
        row: dict[str, Cell] = {
            "order_no": self.number("YE"),
            "patient_no": self.patient.number,
            "visit_no": self.number("YV"),
            "modality": exam.modality,
            "item_code": exam.codes["HY"],
            "item_name": exam.name,
            "findings": findings,
            "conclusion": conclusion,
            "status": "审核",
            "reported_at": self.at("11:20:00"),
            **self._doctor(),
        }
        self.put(0, "exam_report", self.number("YX"), row)

    def charge(self, item: LabPanel) -> None:
        """Insert a line of the bill."""
        row: dict[str, Cell] = {
            "patient_no": self.patient.number,
            "visit_no": self.number("YV"),
            "item_code": item.codes["HY"],
            "item_name": item.name,
            "quantity": "1",
            "amount": f"{clinic.price(item.codes['HY']) / 100:.2f}",
            "payer": clinic.PAYERS[1],
            "charged_at": self.at("09:15:00"),
        }
        self.put(0, "charge", self.number("YC"), row)

    def at(self, clock: str) -> str:
        """Return a time of today as Huiya's desk types it."""
        return f"{self.today.isoformat()} {clock}"

    def _panel(self, panel: LabPanel) -> dict[str, Cell]:
        return {
            "patient_no": self.patient.number,
            "visit_no": self.number("YV"),
            "panel_code": panel.codes["HY"],
            "panel_name": panel.name,
        }

    def _doctor(self) -> dict[str, Cell]:
        doctor = self.department.doctors[0]
        return {"doctor_code": f"Y{doctor.code}", "doctor_name": doctor.name}
