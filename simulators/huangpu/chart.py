"""One patient's day at Huangpu, upload after upload, in the order in which it happens."""

from __future__ import annotations

import base64
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from simulators import clinic
from simulators.catalogue import Exam, LabPanel
from simulators.clinic import Department, Flag, Named, Value, VisitClass
from simulators.huangpu.upload import Face, Interface, Upload
from simulators.people import Registration

SEX = {"male": "男", "female": "女", "unknown": "未知"}
CLASS: dict[VisitClass, str] = {
    "outpatient": "门诊",
    "emergency": "急诊",
    "inpatient": "住院",
    "checkup": "体检",
}
FLAG: dict[Flag, str] = {"N": "正常", "L": "偏低", "H": "偏高", "LL": "危急低", "HH": "危急高", "A": "异常"}
FACE: dict[Interface, Face] = {"exam_report": "rest", "document": "rest", "charge": "rest"}
"""What goes by REST; the rest of it, by SOAP."""

LAB_AUTHOR = {"number": "H601", "name": "周检"}
EXAM_AUTHOR = {"number": "H701", "name": "黎影"}


@dataclass(slots=True)
class Chart:
    """Where the uploads of one storyline gather. `now` is the hospital's time and only goes forward."""

    name: str
    """Unique in the campus and day: every number is made of it."""
    patient: Registration
    department: Department
    doctor: Named
    now: datetime
    rng: random.Random
    uploads: list[Upload] = field(default_factory=list)
    _numbered: int = 0

    def wait(self, least: int, most: int) -> None:
        """Let that many minutes pass, and a few seconds."""
        self.now += timedelta(minutes=self.rng.randint(least, most), seconds=self.rng.randint(1, 50))

    def number(self, prefix: str) -> str:
        """Return a new number of that kind."""
        self._numbered += 1
        return f"{prefix}{self.now:%y%m%d}{self.name}{self._numbered:02d}"

    def send(
        self,
        interface: Interface,
        content: dict[str, Any],
        *,
        expect: str = "recorded",
        face: Face | None = None,
    ) -> Upload:
        """Add an upload sent now."""
        sender = "LIS" if interface == "lab_report" else "HIS"
        control_id = f"HP-{sender}-{self.now:%y%m%d}-{self.name}-{len(self.uploads) + 1:02d}"
        face = face or FACE.get(interface, "soap")
        content = {"patient": self._patient(), **content}
        upload = Upload(self.now, face, interface, sender, control_id, self.patient.number, content, expect)
        self.uploads.append(upload)
        return upload

    def register(self, face: Face = "soap") -> None:
        """The patient is registered."""
        self.send("patient", {}, face=face)

    def encounter(
        self,
        number: str,
        class_: VisitClass,
        start: datetime,
        end: datetime | None = None,
        diagnosis: Named | None = None,
    ) -> None:
        """The visit begins, or with `end` has ended, with that diagnosis or one of the department's."""
        said: dict[str, Any] = {
            "number": number,
            "class": CLASS[class_],
            "status": "结束" if end else "在诊",
            "department": {"code": self.department.code, "name": self.department.name},
            "doctor": self._doctor(),
            "start": start,
        }
        if end:
            diagnosis = diagnosis or self.rng.choice(self.department.diagnoses)
            said |= {"end": end, "diagnoses": [{"code": diagnosis.code, "name": diagnosis.name}]}
        self.send("encounter", {"encounter": said})

    def order(self, visit: str, item: LabPanel | Exam) -> str:
        """The doctor orders; return the order's number."""
        number = self.number("HO")
        said = {
            "number": number,
            "kind": "检验" if isinstance(item, LabPanel) else "检查",
            "item": _item(item),
            "priority": "普通",
            "status": "申请",
            "ordered_at": self.now,
            "doctor": self._doctor(),
        }
        self.send("order", {"encounter_number": visit, "orders": [said]})
        return number

    def lab_report(
        self,
        visit: str,
        order: str,
        panel: LabPanel,
        *,
        critical: bool = False,
        expect: str = "recorded",
    ) -> None:
        """The laboratory reports."""
        said = {
            "number": self.number("HL"),
            "order_number": order,
            "item": _item(panel),
            "status": "审核",
            "observed_at": self.now - timedelta(minutes=15),
            "issued_at": self.now,
            "author": LAB_AUTHOR,
            "doctor": self._doctor(),
            "results": [_result(value) for value in clinic.measure(self.rng, panel, critical=critical)],
        }
        self.send("lab_report", {"encounter_number": visit, "reports": [said]}, expect=expect)

    def exam_report(self, visit: str, order: str, exam: Exam) -> None:
        """The radiologist reports."""
        findings, conclusion = clinic.findings(self.rng, exam)
        said = {
            "number": self.number("HE"),
            "order_number": order,
            "modality": exam.modality,
            "item": _item(exam),
            "status": "审核",
            "issued_at": self.now,
            "findings": findings,
            "conclusion": conclusion,
            "author": EXAM_AUTHOR,
            "doctor": self._doctor(),
        }
        self.send("exam_report", {"encounter_number": visit, "reports": [said]})

    def document(self, visit: str, kind: Named, text: str) -> None:
        """The doctor writes a document."""
        said = {
            "number": self.number("HD"),
            "type": {"code": kind.code, "name": kind.name},
            "title": kind.name,
            "status": "有效",
            "mime_type": "text/plain; charset=utf-8",
            "content": base64.b64encode(text.encode()).decode(),
            "author": self._doctor(),
            "created_at": self.now,
        }
        self.send("document", {"encounter_number": visit, "document": said})

    def charge(self, visit: str, *items: LabPanel | Exam) -> None:
        """The desk charges the consultation and those items."""
        number = self.number("HC")
        priced = ({"code": "ZCF", "name": "诊查费"}, *(_item(item) for item in items))
        said = [
            {
                "number": f"{number}-{place}",
                "item": item,
                "amount": f"{clinic.price(item['code']) / 100:.2f}",
                "quantity": "1",
                "charged_at": self.now,
                "payer": clinic.PAYERS[0],
            }
            for place, item in enumerate(priced, 1)
        ]
        self.send("charge", {"encounter_number": visit, "charges": said})

    def _doctor(self) -> dict[str, str]:
        return {"number": f"H{self.doctor.code}", "name": self.doctor.name}

    def _patient(self) -> dict[str, Any]:
        known = self.patient
        said = {
            "number": known.number,
            "name": str(known.name),
            "sex": SEX[known.sex],
            "birth_date": known.birth_date,
            "id_card": known.id_card,
            "phone": known.phone,
            "address": known.address,
        }
        return {key: value for key, value in said.items() if value is not None}


def _item(item: LabPanel | Exam) -> dict[str, str]:
    return {"code": item.codes["HP"], "name": item.name}


def _result(value: Value) -> dict[str, Any]:
    said = {
        "item": {"code": value.item.codes["HP"], "name": value.item.name},
        "value": value.text,
        "unit": value.item.unit,
        "reference_range": value.item.reference_range,
        "flag": FLAG[value.flag],
    }
    return {key: part for key, part in said.items() if part}
