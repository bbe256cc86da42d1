"""A whole day of Huangpu."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta

from simulators import people
from simulators.catalogue import LabPanel, exams, panels
from simulators.clinic import DEPARTMENTS, Department, Named
from simulators.clock import LOCAL
from simulators.huangpu.chart import Chart
from simulators.huangpu.upload import Upload
from simulators.people import DEMO, Person

UPLOADS = 114
"""Uploads of a day at scale 1: 7.1 parts of the consortium's volume, 16 to a part."""

NOTE = Named("MZBL", "门诊病历")

WRONG_ELEMENT = """<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:yilian:upload:v1">
<soap:Body><患者上传>
<消息头><消息编号>{control_id}</消息编号><发送系统>HIS</发送系统><机构代码>HP</机构代码><时间>{time}</时间></消息头>
<患者信息><患者编号>{patient}</患者编号><血型>O</血型></患者信息></患者上传></soap:Body></soap:Envelope>"""
DOCTYPE = WRONG_ELEMENT.replace("?>\n", '?>\n<!DOCTYPE a [<!ENTITY e "e">]>\n', 1)


def day(seed: int, today: date, scale: float = 1.0) -> list[Upload]:
    """Return the day's uploads in the order of their times; the same arguments give the same content."""
    uploads: list[Upload] = []
    size = max(round(UPLOADS * scale), 1)
    for chart in _charts(seed, today):
        uploads.extend(chart.uploads[: size - len(uploads)])
        if len(uploads) == size:
            break
    return sorted(uploads, key=lambda u: (u.at, u.control_id))


def _charts(seed: int, today: date) -> Iterator[Chart]:
    demo = _chart(seed, today, "D0000", DEMO, DEPARTMENTS[0])
    _lab(demo)
    _exam(demo)
    yield demo
    mistaken = _chart(seed, today, "X0000", people.rare_person(seed, 2000), DEPARTMENTS[0])
    _mistakes(mistaken)
    yield mistaken
    shared = today.toordinal() % 50 * 120 + 1
    for place in itertools.count():
        # Three in five came to the main campus on the same day.
        index = shared + place if place % 5 < 3 else 2_000_000 + shared + place
        chart = _chart(seed, today, f"V{place:04d}", people.person(seed, index, today))
        (_lab if place % 2 else _exam)(chart)
        yield chart


def _chart(seed: int, today: date, name: str, person: Person, department: Department | None = None) -> Chart:
    rng = random.Random(f"{seed}/{today}/HP/{name}")
    opening = datetime.combine(today, datetime.min.time(), LOCAL) + timedelta(hours=8)
    start = opening + timedelta(minutes=rng.randrange(0, 480), seconds=rng.randrange(60))
    department = department or rng.choice(DEPARTMENTS[:-1])
    return Chart(name, person.at("HP"), department, rng.choice(department.doctors), start, rng)


def _lab(chart: Chart) -> None:
    visit, start, panel = chart.number("HV"), chart.now, panels()[chart.department.panels[0]]
    chart.register()
    chart.wait(1, 3)
    chart.encounter(visit, "outpatient", start)
    chart.wait(5, 15)
    order = chart.order(visit, panel)
    chart.wait(2, 5)
    chart.charge(visit, panel)
    chart.wait(30, 60)
    chart.lab_report(visit, order, panel, critical=chart.rng.random() < 0.1 and panel.key == "electrolytes")
    chart.wait(5, 20)
    chart.encounter(visit, "outpatient", start, chart.now)
    chart.wait(5, 10)


def _exam(chart: Chart) -> None:
    visit, start, exam = chart.number("HV"), chart.now, exams()[chart.department.exams[0]]
    chart.register("rest")
    chart.wait(1, 3)
    chart.encounter(visit, "emergency", start)
    chart.wait(5, 15)
    order = chart.order(visit, exam)
    chart.wait(20, 50)
    chart.exam_report(visit, order, exam)
    chart.wait(2, 5)
    chart.charge(visit, exam)
    chart.wait(5, 20)
    chart.document(
        visit, NOTE, f"检查：{exam.name}。处理：对症治疗，<3天内>复诊。\n医师签名：{chart.doctor.name}"
    )
    chart.wait(1, 5)
    chart.encounter(visit, "emergency", start, chart.now)


def _mistakes(chart: Chart) -> None:
    """An item nobody mapped, a wrong element, a DOCTYPE, a misspelt key, a retry."""
    chart.register()
    chart.wait(5, 10)
    panel = LabPanel("unregistered", "未登记组合", {"HP": "WDJ"}, panels()["cbc"].items)
    chart.lab_report(chart.number("HV"), chart.number("HO"), panel, expect="held:unmapped_code")
    for template, code in ((WRONG_ELEMENT, "schema"), (DOCTYPE, "xml_doctype")):
        chart.wait(1, 5)
        upload = chart.send("patient", {}, expect=f"refused:{code}")
        text = template.format(
            control_id=upload.control_id, time=upload.at.isoformat(), patient=upload.patient
        )
        chart.uploads[-1] = replace(upload, spoilt=text.encode())
    chart.wait(1, 5)
    chart.send("charge", {"chargs": []}, expect="refused:schema")
    chart.wait(1, 5)
    first = chart.uploads[0]
    chart.uploads.append(replace(first, at=chart.now, expect="duplicate"))
