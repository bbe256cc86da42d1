"""The page of fields says what the builders do."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from bus.fhir.extensions import KNOWN
from bus.fhir.sending import bundle
from bus.fhir.systems import ARCS, Systems
from bus.hl7.message import parse
from bus.hl7.writing.message import Heading, write
from bus.hl7.writing.table import ROWS, Row, page
from consortium.records import model
from consortium.records.model import Change, Kind
from runtime.settings import CHECKOUT, Settings
from tests.changes import PROVENANCE

AT = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
ITEM = {"code": "2823-3", "name": "钾", "system": "http://loinc.org"}
STAFF = {"number": "D1", "name": "何婉仪"}
FACTS: dict[str, dict[str, Any]] = {
    "patient": {
        "number": "P1",
        "name": "王珅",
        "sex": "male",
        "birth_date": date(1980, 1, 1),
        "id_card": "11010519491231002X",
        "phone": "138",
        "address": "天河路1号",
        "deceased": False,
        "vip": True,
    },
    "encounter": {
        "number": "V1",
        "class_": "inpatient",
        "status": "in_progress",
        "department": ITEM,
        "doctor": STAFF,
        "bed": "12",
        "start": AT,
        "end": AT,
        "diagnoses": (ITEM,),
    },
    "merge": {"surviving": "P1", "retired": "P2"},
    "order": {
        "number": "O1",
        "filler_number": "F1",
        "kind": "lab",
        "item": ITEM,
        "priority": "stat",
        "ordered_at": AT,
        "doctor": STAFF,
        "department": ITEM,
    },
    "medicine": {
        "number": "O2",
        "kind": "medication",
        "item": ITEM,
        "prescription": "RX1",
        "dose": Decimal("0.5"),
        "dose_unit": "g",
        "route": ITEM,
        "frequency": ITEM,
        "days": 3,
        "quantity": Decimal(1),
        "quantity_unit": "盒",
        "instructions": "饭后",
    },
    "result": {
        "item": ITEM,
        "sub_id": "1",
        "value": "6.80",
        "number": Decimal("6.80"),
        "unit": "mmol/L",
        "reference_range": "3.5-5.3",
        "flag": "critical_high",
        "observed_at": AT,
    },
    "report": {
        "number": "R1",
        "kind": "lab",
        "item": ITEM,
        "order_number": "O1",
        "issued_at": AT,
        "author": STAFF,
        "doctor": STAFF,
        "specimen": ITEM,
        "findings": "所见",
        "conclusion": "结论",
    },
    "document": {
        "number": "D1",
        "type": ITEM,
        "title": "出院小结",
        "replaces": "D0",
        "mime_type": "application/pdf",
        "content": b"%PDF-",
        "author": STAFF,
        "created_at": AT,
    },
    "charge": {
        "number": "C1",
        "item": ITEM,
        "amount": Decimal("68.00"),
        "charged_at": AT,
        "payer": "自费",
    },
    "appointment": {
        "number": "A1",
        "item": ITEM,
        "department": ITEM,
        "doctor": STAFF,
        "start": AT,
        "minutes": 20,
    },
    "procedure": {
        "number": "S1",
        "kind": "surgery",
        "item": ITEM,
        "site": ITEM,
        "start": AT,
        "end": AT,
        "doctor": STAFF,
        "department": ITEM,
        "order_number": "O1",
        "part_of": "S0",
        "level": "四级",
        "incision": "Ⅰ/甲",
        "note": "顺利",
    },
    "allergy": {
        "number": "G1",
        "item": ITEM,
        "category": "medication",
        "criticality": "high",
        "reaction": "皮疹",
        "noted_at": AT,
        "author": STAFF,
    },
}
SECTIONS = {"medicine": "orders", "allergy": "allergies"}
MODELS = {name: getattr(model, name.capitalize()) for name in FACTS if name != "medicine"}


def whole(subject: str) -> Change:
    """A change that says everything of a subject."""
    said: dict[str, Any] = {"patient": FACTS["patient"]}
    kind = {"result": Kind.REPORT, "medicine": Kind.ORDER}.get(subject) or Kind(subject)
    if subject == "merge":
        said["merge"] = FACTS["merge"]
    elif subject in ("report", "result"):
        said["reports"] = (FACTS["report"] | {"results": (FACTS["result"],)},)
    elif subject == "encounter":
        said["encounter"] = FACTS["encounter"]
    elif subject != "patient":
        said[SECTIONS.get(subject, f"{subject}s")] = (FACTS[subject],)
    return Change(kind=kind, **said)


def at(value: Any, path: list[str]) -> list[Any]:
    """Every value at a path below a resource."""
    if isinstance(value, list):
        return [found for one in value for found in at(one, path)]
    if not path:
        return [value]
    return at(value[path[0]], path[1:]) if isinstance(value, dict) and path[0] in value else []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fact)
def test_a_fact_stands_where_the_table_says(row: Row) -> None:
    subject = "medicine" if row.fhir.startswith("MedicationRequest") else row.fact.partition(".")[0]
    change = whole(subject)
    if row.hl7:
        body = write(change, Heading("HP", "1.2.156.10011.99.2", "1", PROVENANCE.received_at))
        assert parse(body).get(row.hl7), row
    type_, *path = row.fhir.split(".")
    made = bundle(change, PROVENANCE, Systems(Settings()), "transaction")
    found = [one["resource"] for one in made["entry"] if one["resource"]["resourceType"] == type_]
    assert at(found, path), row


def test_the_table_names_every_fact() -> None:
    named = {row.fact for row in ROWS}
    left = {
        *(f"{name}.deleted" for name in MODELS),
        *("result.number", "merge.surviving", "report.results", "report.modality", "document.mime_type"),
    }
    facts = {f"{name}.{field}" for name, model_ in MODELS.items() for field in model_.model_fields}
    assert facts - left == named


def test_the_page_has_the_table() -> None:
    text = (CHECKOUT / "docs" / "fhir.md").read_text(encoding="utf-8")
    assert page() in text, "write bus.hl7.writing.table.page() into docs/fhir.md"
    assert {f"`{url}`" in text or f"`{url.rpartition(':')[2]}`" in text for url in KNOWN} == {True}
    arcs = {
        int(arc)
        for line in re.findall(r"^\| .* \| (\.\d.*) \|$", text, re.MULTILINE)
        for arc in re.findall(r"\d+", line)
    }
    assert arcs == set(ARCS.values())
