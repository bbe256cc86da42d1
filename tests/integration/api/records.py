"""One person at three campuses, and another, written as messages would."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import sqlalchemy as sa

from consortium.records import service
from consortium.records.model import (
    Change,
    Coded,
    Document,
    Encounter,
    Kind,
    Order,
    Patient,
    Practitioner,
    Provenance,
    Report,
    Result,
)

LOINC = "http://loinc.org"
ID_CARD = "11010519491231002X"
NAME = "王珅"
DAY = datetime(2026, 11, 20, 1, 30, tzinfo=UTC)
NUMBERS = {"MAIN": "M1", "HP": "HP-1", "HY": "Y001"}
DOCUMENT = "出院小结：病情平稳。珅".encode("gb18030")


def person_of_three_campuses(engine: sa.Engine) -> UUID:
    """Write 王珅 with a visit, an order, a lab and an exam report and a document at each campus."""
    return [
        everything(engine, facility, number, place)
        for place, (facility, number) in enumerate(NUMBERS.items())
    ][-1]


def somebody_else(engine: sa.Engine) -> UUID:
    patient = Patient(number="M2", name="李四", sex="female", birth_date=date(1990, 3, 7))
    return write(engine, "MAIN", 90, Change(kind=Kind.REPORT, patient=patient, reports=(lab("L-M2"),)))


def write(engine: sa.Engine, facility: str, message_id: int, change: Change) -> UUID:
    with engine.begin() as connection:
        provenance = Provenance(message_id=message_id, facility=facility, received_at=DAY)
        return service.apply(connection, change, provenance).person_id


def everything(engine: sa.Engine, facility: str, number: str, place: int) -> UUID:
    patient = Patient(
        number=number,
        name=NAME,
        sex="male",
        birth_date=date(1949, 12, 31),
        id_card=ID_CARD,
        phone="13800138000",
        address="广州市越秀区中山二路1号",
    )
    visit = Encounter(
        number=f"V-{facility}",
        class_="inpatient",
        status="in_progress",
        department=Coded(code="0101", name="心血管内科"),
        doctor=Practitioner(number="D1", name="张医生"),
        bed="3-12",
        start=DAY.replace(day=20 - place),
        diagnoses=(Coded(code="I10", name="原发性高血压", system="http://hl7.org/fhir/sid/icd-10"),),
    )
    change = Change(kind=Kind.ENCOUNTER, patient=patient, encounter=visit)
    person = write(engine, facility, place * 10 + 1, change)
    order = Order(
        number=f"O-{facility}",
        filler_number=f"F-{facility}",
        kind="lab",
        item=Coded(code="58410-2", name="血常规", system=LOINC),
        priority="stat",
        ordered_at=DAY,
        doctor=Practitioner(number="D1", name="张医生"),
    )
    with_visit = {"patient": patient, "encounter": Encounter(number=f"V-{facility}")}
    write(engine, facility, place * 10 + 2, Change(kind=Kind.ORDER, orders=(order,), **with_visit))
    reports = (lab(f"L-{facility}", f"O-{facility}", DAY.replace(hour=place)), exam(f"E-{facility}"))
    write(engine, facility, place * 10 + 3, Change(kind=Kind.REPORT, reports=reports, **with_visit))
    document = Document(
        number=f"DOC-{facility}",
        type=Coded(code="18842-5", name="出院小结", system=LOINC),
        title="出院小结",
        mime_type="text/plain; charset=gb18030",
        content=DOCUMENT,
        author=Practitioner(number="D1", name="张医生"),
        created_at=DAY,
    )
    write(engine, facility, place * 10 + 4, Change(kind=Kind.DOCUMENT, documents=(document,), **with_visit))
    return person


def lab(number: str, order: str | None = None, at: datetime = DAY) -> Report:
    potassium = Result(
        item=Coded(code="2823-3", name="钾", system=LOINC),
        value="6.80",
        number=Decimal("6.80"),
        unit="mmol/L",
        reference_range="3.5-5.3",
        flag="critical_high",
        observed_at=at,
    )
    culture = Result(item=Coded(code="培养", name="细菌培养"), value="未检出", flag="normal", observed_at=at)
    return Report(
        number=number,
        kind="lab",
        item=Coded(code="58410-2", name="血常规", system=LOINC),
        order_number=order,
        issued_at=at,
        author=Practitioner(number="D9", name="检验师"),
        doctor=Practitioner(number="D1", name="张医生"),
        results=(potassium, culture),
    )


def exam(number: str) -> Report:
    return Report(
        number=number,
        kind="exam",
        item=Coded(code="24627-2", name="胸部CT平扫", system=LOINC),
        modality="CT",
        issued_at=DAY,
        findings="双肺纹理清晰。",
        conclusion="未见明显异常。",
        author=Practitioner(number="D8", name="影像医生"),
    )
