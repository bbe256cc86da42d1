"""The form that a chart gives: every part with the records behind it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from consortium.referral.filling import Chart, form_of
from consortium.referral.form import Form, missing

AT = datetime(2026, 11, 20, tzinfo=UTC)


def row(id_: int, facility: str = "HP", **columns: Any) -> dict[str, Any]:
    return {"id": UUID(int=id_), "facility": facility, "at": AT, **columns}


def item(number: int, name: str, **columns: Any) -> dict[str, Any]:
    return row(number, item_code=f"I{number}", item_name=name, **columns)


def diagnosis(number: int, code: str, name: str, facility: str = "HP") -> dict[str, Any]:
    return row(number, facility, code=code, name=name)


def value(number: int, name: str, flag: str | None) -> dict[str, Any]:
    return item(number, name, report_id=UUID(int=40), value="6.8", unit="mmol/L", flag=flag)


def chart(**said: Any) -> Chart:
    patient = {
        "number": "HP-1",
        "name": "王珅",
        "sex": "male",
        "birth_date": date(1949, 12, 31),
        "phone": None,
    }
    facts: dict[str, Any] = {
        "patient": patient,
        "visit": row(1, number="V-HP"),
        "diagnoses": [diagnosis(2, "I21.0", "急性前壁心肌梗死"), diagnosis(3, "I10", "高血压")],
        "history": [diagnosis(4, "E11.9", "2型糖尿病", "MAIN"), diagnosis(5, "E11.9", "2型糖尿病", "HY")],
        "allergies": [item(10, "青霉素", status="active"), item(11, "头孢", status="refuted")],
        "medicines": [item(20, "阿司匹林"), item(21, "氯吡格雷")],
        "procedures": [item(30, "静脉溶栓")],
        "reports": [item(41, "心电图", kind="exam", conclusion="ST 段抬高")],
        "results": [value(50, "肌钙蛋白", "critical_high"), value(51, "钠", "normal"), value(52, "氯", None)],
        "documents": [],
    }
    return Chart(**(facts | said))


def test_each_part_is_filled() -> None:
    form = form_of(chart())
    assert (form.name, form.sex, form.birth_date, form.phone) == ("王珅", "male", date(1949, 12, 31), "")
    assert form.preliminary_diagnosis == "急性前壁心肌梗死；高血压"
    assert form.diagnosis_codes == ("I21.0", "I10")
    assert form.history == "2型糖尿病"
    assert form.allergies == ("青霉素",)
    assert form.treatment == "静脉溶栓；阿司匹林；氯吡格雷"
    assert [(one.name, one.flag) for one in form.key_results] == [
        ("肌钙蛋白", "critical_high"),
        ("心电图", ""),
    ]


def test_each_part_names_its_records_and_their_hospitals() -> None:
    provenance = form_of(chart()).provenance
    assert [(one.kind, one.facility) for one in provenance["history"]] == [
        ("diagnosis", "MAIN"),
        ("diagnosis", "HY"),
    ]
    assert [one.id for one in provenance["allergies"]] == [str(UUID(int=10))]
    assert [one.id for one in provenance["key_results"]] == [str(UUID(int=40)), str(UUID(int=41))]


def test_an_empty_chart_leaves_the_form_to_the_doctor() -> None:
    nothing: list[Any] = []
    names = ("diagnoses", "history", "allergies", "medicines", "procedures", "reports", "results")
    form = form_of(chart(**dict.fromkeys(names, nothing)))
    assert missing(form, "up") == ("preliminary_diagnosis", "reason")
    assert missing(Form(), "down")[-2:] == ("discharge_summary", "rehabilitation_plan")
