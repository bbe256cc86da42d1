"""What patients come to the main campus for, from the desk to the way home."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from simulators.catalogue import Exam, LabPanel, exams, panels
from simulators.clinic import DEPARTMENTS, Department, Named
from simulators.main_campus.chart import Chart
from simulators.main_campus.message import EMR, HIS

ADMISSION_NOTE = Named("C0034", "入院记录")
DISCHARGE_SUMMARY = Named("C0053", "出院小结")
CHECKUP_REPORT = Named("C0001", "体检报告")
OUTPATIENT_NOTE = Named("C0002", "门诊病历")
EMERGENCY = DEPARTMENTS[-1]
CARDIOLOGY = DEPARTMENTS[0]

Storyline = Callable[[Chart], None]
"""Writes a chart."""


def outpatient_lab(chart: Chart) -> None:
    """挂号, 开单, 收费, 检验, 诊断, 离院."""
    department, panel, _ = _choose(chart)
    visit = chart.visit("outpatient", department)
    chart.adt("A04", visit)
    chart.wait(5, 20)
    order = chart.order(HIS, visit, panel)
    chart.wait(2, 6)
    chart.charge(visit, panel)
    chart.wait(20, 60)
    chart.lab_report(visit, order, panel)
    chart.wait(5, 20)
    chart.adt("A08", visit, chart.rng.choice(department.diagnoses))
    chart.wait(2, 8)
    chart.adt("A03", visit.ended(chart.now), chart.rng.choice(department.diagnoses))


def outpatient_exam(chart: Chart) -> None:
    """挂号, 申请, 预约, 检查, 报告, 病历."""
    department, _, exam = _choose(chart)
    visit = chart.visit("outpatient", department)
    chart.adt("A04", visit)
    chart.wait(5, 20)
    order = chart.order(EMR, visit, exam)
    chart.wait(2, 8)
    booking = chart.book(visit, exam)
    chart.wait(5, 10)
    if chart.rng.random() < 0.3:
        chart.rebook(visit, booking)
    chart.charge(visit, exam)
    chart.wait(60, 120)
    chart.exam_report(visit, order, exam)
    chart.wait(5, 20)
    diagnosis = chart.rng.choice(department.diagnoses)
    chart.document(visit, OUTPATIENT_NOTE, (("主诉", "反复不适1周。"), ("诊断", diagnosis.name)))
    chart.wait(2, 5)
    chart.adt("A03", visit.ended(chart.now), diagnosis)


def missed_exam(chart: Chart) -> None:
    """An exam that is booked and called off."""
    department, _, exam = _choose(chart)
    visit = chart.visit("outpatient", department)
    chart.adt("A04", visit)
    chart.wait(5, 20)
    chart.order(EMR, visit, exam)
    chart.wait(2, 8)
    booking = chart.book(visit, exam)
    chart.wait(30, 90)
    chart.cancel(visit, booking)


def emergency(chart: Chart) -> None:
    """急诊: a preliminary and a final report, one with a critical value."""
    _critical_visit(chart, panels()[chart.rng.choice(("electrolytes", "cardiac", "blood_gas"))])


def inpatient(chart: Chart) -> None:
    """入院, 入院记录, 检验, 检查, 转床, 收费, 出院小结, 出院."""
    department, panel, exam = _choose(chart)
    visit = chart.visit(
        "inpatient", department, bed=f"{chart.rng.randint(1, 12):03d}{chart.rng.randint(1, 40):02d}"
    )
    diagnosis = chart.rng.choice(department.diagnoses)
    chart.adt("A01", visit, diagnosis)
    chart.wait(10, 30)
    chart.document(visit, ADMISSION_NOTE, (("主诉", "加重3天入院。"), ("入院诊断", diagnosis.name)))
    chart.wait(5, 10)
    lab = chart.order(HIS, visit, panel)
    chart.wait(1, 3)
    scan = chart.order(EMR, visit, exam)
    chart.wait(20, 50)
    chart.lab_report(visit, lab, panel, stages=chart.rng.choice(("F", "F", "PF", "FC")))
    chart.wait(5, 30)
    visit = replace(visit, bed=visit.bed[:3] + "41")
    chart.adt("A08", visit, diagnosis)
    chart.wait(20, 60)
    chart.exam_report(visit, scan, exam)
    chart.wait(5, 20)
    chart.charge(visit, panel, exam)
    chart.wait(30, 90)
    chart.document(
        visit, DISCHARGE_SUMMARY, (("诊疗经过", "予对症治疗，症状好转。"), ("出院医嘱", "门诊随诊 1/周"))
    )
    chart.wait(2, 5)
    chart.adt("A03", visit.ended(chart.now), diagnosis)


def checkup(chart: Chart) -> None:
    """体检: three panels, one report on all."""
    department = CARDIOLOGY
    visit = chart.visit("checkup", department)
    chart.adt("A04", visit)
    chosen = [
        panels()[key] for key in chart.rng.sample(("cbc", "liver", "renal", "lipids", "glucose", "urine"), 3)
    ]
    chart.wait(3, 8)
    orders = []
    for panel in chosen:
        chart.wait(1, 2)
        orders.append((chart.order(EMR, visit, panel), panel))
    chart.charge(visit, *chosen)
    for number, panel in orders:
        chart.wait(15, 40)
        chart.lab_report(visit, number, panel)
    chart.wait(30, 60)
    chart.document(
        visit, CHECKUP_REPORT, (("结论", "详见各项检验结果。"), ("建议", "低盐低脂饮食，每年复查。"))
    )


def merged(chart: Chart) -> None:
    """Registered in a hurry under a second number, seen, and then put together (A40)."""
    known = chart.patient
    hurried = replace(known, number=f"T{known.number}", id_card=None, phone=None, address=None)
    chart.patient = hurried
    visit = chart.visit("emergency", EMERGENCY)
    chart.adt("A04", visit)
    chart.wait(5, 10)
    panel = panels()["cbc"]
    order = chart.order(HIS, visit, panel, "S")
    chart.wait(10, 30)
    chart.lab_report(visit, order, panel)
    chart.wait(5, 10)
    chart.patient = known
    visit = chart.visit("outpatient", CARDIOLOGY)
    chart.adt("A04", visit)
    chart.wait(1, 3)
    chart.merge(hurried.number)
    chart.wait(5, 20)
    chart.adt("A08", visit, chart.rng.choice(CARDIOLOGY.diagnoses))


def registration(chart: Chart) -> None:
    """挂号 only."""
    chart.adt("A04", chart.visit("outpatient", chart.rng.choice(DEPARTMENTS[:-1])))


def demo(chart: Chart) -> None:
    """patient.demo: a critical potassium in the emergency room, then a heart examined on the ward."""
    _critical_visit(chart, panels()["electrolytes"])
    chart.wait(20, 30)
    exam = exams()["us_heart"]
    visit = chart.visit("inpatient", CARDIOLOGY, bed="00108")
    chart.adt("A01", visit, CARDIOLOGY.diagnoses[2])
    chart.wait(5, 10)
    order = chart.order(EMR, visit, exam, "A")
    chart.wait(20, 40)
    chart.exam_report(visit, order, exam)
    chart.wait(5, 10)
    chart.document(visit, ADMISSION_NOTE, (("主诉", "胸闷3天。"), ("入院诊断", CARDIOLOGY.diagnoses[2].name)))


CYCLE: tuple[Storyline, ...] = (
    outpatient_lab,
    outpatient_exam,
    inpatient,
    outpatient_lab,
    emergency,
    outpatient_exam,
    checkup,
    outpatient_lab,
    inpatient,
    merged,
    outpatient_exam,
    missed_exam,
)


def _critical_visit(chart: Chart, panel: LabPanel) -> None:
    visit = chart.visit("emergency", EMERGENCY)
    diagnosis = chart.rng.choice(EMERGENCY.diagnoses)
    chart.adt("A04", visit)
    chart.wait(2, 5)
    order = chart.order(HIS, visit, panel, "S")
    chart.wait(15, 30)
    chart.lab_report(visit, order, panel, critical=True, stages=chart.rng.choice(("F", "PF")))
    chart.wait(5, 15)
    chart.charge(visit, panel)
    chart.wait(10, 30)
    chart.adt("A08", visit, diagnosis)
    chart.wait(5, 60)
    chart.adt("A03", visit.ended(chart.now), diagnosis)


def _choose(chart: Chart) -> tuple[Department, LabPanel, Exam]:
    department = chart.rng.choice(DEPARTMENTS[:-1])
    return (
        department,
        panels()[chart.rng.choice(department.panels)],
        exams()[chart.rng.choice(department.exams)],
    )
