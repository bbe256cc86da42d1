"""Rules that read what the platform builds, as another consortium of the kind would write them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bus.hl7.writing import documents, orders, patient, results, scheduling
from bus.hl7.writing.fields import CODE_SYSTEMS
from tests.changes import DAYS

Tree = dict[str, Any]


def words(path: str, table: Mapping[Any, str], otherwise: str = '""') -> Tree:
    """A leaf that turns a code into our word by the inverse of a table."""
    chain = otherwise
    for ours, theirs in table.items():
        chain = f'field("{path}") == {json.dumps(theirs)} ? {json.dumps(ours or "")} : {chain}'
    return {"cel": chain}


def coded(field: str) -> Tree:
    system = words(f"{field}.3", CODE_SYSTEMS, f'field("{field}.3")')
    return {"code": f"{field}.1", "name": f"{field}.2", "system": system}


def staff(field: str) -> Tree:
    return {"number": f"{field}.1", "name": f"{field}.2"}


PATIENT: Tree = {
    "number": "PID-3[5=MR].1",
    "name": "PID-5.1",
    "sex": words("PID-8", patient.SEXES),
    "birth_date": "PID-7",
    "id_card": "PID-3[5=NI].1",
    "phone": "PID-13.1",
    "address": "PID-11.1",
    "deceased": "PID-30",
    "vip": words("PV1-16", {"true": "VIP", "false": "N"}),
}
VISIT: Tree = {
    "number": "PV1-19.1",
    "class_": words("PV1-2", patient.CLASSES),
    "department": coded("PV1-10"),
    "doctor": staff("PV1-7"),
    "bed": "PV1-3.3",
    "start": "PV1-44",
    "end": "PV1-45",
}
EVENTS = patient.EVENTS | {"in_progress": "A01"}
ADMITTED = words("MSH-9.2", EVENTS, 'field("MSH-9.2") == "A04" ? "in_progress" : ""')
ORDER: Tree = {
    "each": "OBR",
    "number": "ORC-2.1",
    "filler_number": "ORC-3.1",
    "kind": words("OBR-24", orders.SECTIONS),
    "status": words("ORC-1", orders.CONTROLS),
    "item": coded("OBR-4"),
    "priority": words("OBR-5", orders.PRIORITIES),
    "ordered_at": "ORC-9",
    "doctor": staff("ORC-12"),
    "department": coded("ORC-17"),
}
MEDICINE: Tree = {
    "each": "RXO",
    "number": "ORC-2.1",
    "kind": {"const": "medication"},
    "status": words("ORC-1", orders.CONTROLS),
    "item": coded("RXO-1"),
    "priority": words("ORC-7.6", orders.PRIORITIES),
    "ordered_at": "ORC-9",
    "doctor": staff("ORC-12"),
    "department": coded("ORC-17"),
    "prescription": "ORC-4.1",
    "dose": "RXO-2",
    "dose_unit": "RXO-4.1",
    "route": coded("RXR-1"),
    "frequency": {"code": "ORC-7.2.1", "name": "ORC-7.2.2", "system": "ORC-7.2.3"},
    "days": words("ORC-7.3", {str(days): f"D{days}" for days in DAYS}),
    "quantity": "RXO-11",
    "quantity_unit": "RXO-12.1",
    "instructions": "RXO-7.2",
}
NARRATIVE = ("FINDINGS", "IMPRESSION")
RESULT: Tree = {
    "each": "OBX",
    "when": 'field("OBX-2") != "TX"',
    "item": coded("OBX-3"),
    "sub_id": "OBX-4",
    "value": "OBX-5",
    "number": {"cel": 'field("OBX-2") == "NM" ? field("OBX-5") : ""', "as": "number"},
    "unit": "OBX-6.1",
    "reference_range": "OBX-7.1",
    "flag": words("OBX-8", results.FLAGS),
    "status": words("OBX-11", results.STATUSES),
    "observed_at": "OBX-14",
}


def narrative(name: str) -> Tree:
    when = f'field("OBX-2") == "TX" && field("OBX-3.1") == "{name}"'
    return {"each": "OBX", "path": "OBX-5.1", "when": when, "join": "\n"}


REPORT: Tree = {
    "each": "OBR",
    "number": "OBR-3.1",
    "kind": words("OBR-24", results.SECTIONS, '"exam"'),
    "modality": {"cel": 'field("OBR-24") in ["LAB", "NRS", "MID", "CHK", "RAD"] ? "" : field("OBR-24")'},
    "item": coded("OBR-4"),
    "specimen": {"code": "OBR-15.1.1", "name": "OBR-15.1.2", "system": "OBR-15.1.3"},
    "status": words("OBR-25", results.STATUSES),
    "order_number": "OBR-2.1",
    "issued_at": "OBR-22",
    "author": {"number": "OBR-32.1.1", "name": "OBR-32.1.2"},
    "doctor": staff("OBR-16"),
    "findings": narrative("FINDINGS"),
    "conclusion": narrative("IMPRESSION"),
    "results": RESULT,
}
DOCUMENT: Tree = {
    "number": "TXA-12.1",
    "type": coded("TXA-2"),
    "title": "TXA-16.1",
    "status": words("TXA-19", documents.AVAILABILITY),
    "replaces": "TXA-13.1",
    "author": staff("TXA-9"),
    "created_at": "TXA-4",
}
TEXT: Tree = {**DOCUMENT, "content": {"path": "OBX-5", "as": "bytes"}}
FILE: Tree = {
    **DOCUMENT,
    "mime_type": {"template": "{OBX-5.2}/{OBX-5.3}"},
    "content": {"path": "OBX-5.5", "as": "base64"},
}
CHARGE: Tree = {
    "each": "FT1",
    "number": "FT1-2.1",
    "item": coded("FT1-7"),
    "amount": {"cel": '(field("FT1-6") == "CR" ? "-" : "") + field("FT1-11.1.1")'},
    "currency": "FT1-11.1.2",
    "quantity": "FT1-10",
    "charged_at": "FT1-4",
    "payer": "FT1-14.2",
}
APPOINTMENT: Tree = {
    "number": "SCH-1.1",
    "status": words("SCH-25", scheduling.STATUSES),
    "item": coded("SCH-7"),
    "department": coded("AIG-3"),
    "doctor": staff("SCH-16"),
    "start": "SCH-11.4",
    "minutes": "SCH-9",
}
RULES: dict[str, tuple[str, str, Tree]] = {
    "merge": (
        'msg.type.startsWith("ADT^A40")',
        "merge",
        {"merge": {"surviving": "PID-3.1", "retired": "MRG-1.1"}},
    ),
    "visit": (
        'msg.type.startsWith("ADT") && field("PV1-19") != ""',
        "encounter",
        {
            "encounter": {**VISIT, "status": ADMITTED, "diagnoses": {"each": "DG1", **coded("DG1-3")}},
        },
    ),
    "patient": ('msg.type.startsWith("ADT^A08")', "patient", {}),
    "order": (
        'msg.type in ["ORM^O01", "OMG^O19", "OMP^O09"]',
        "order",
        {"encounter": VISIT, "orders": [ORDER, MEDICINE]},
    ),
    "report": ('msg.type == "ORU^R01"', "report", {"encounter": VISIT, "reports": REPORT}),
    "charge": ('msg.type == "DFT^P03"', "charge", {"encounter": VISIT, "charges": CHARGE}),
    "file": (
        'msg.type.startsWith("MDM") && field("OBX-2") == "ED"',
        "document",
        {"encounter": VISIT, "documents": [FILE]},
    ),
    "text": ('msg.type.startsWith("MDM")', "document", {"encounter": VISIT, "documents": [TEXT]}),
    "appointment": (
        'msg.type.startsWith("SIU")',
        "appointment",
        {"encounter": VISIT, "appointments": [APPOINTMENT]},
    ),
}


def write_rules(folder: Path) -> Path:
    """Write the rules into a folder; JSON is YAML."""
    place = folder / "campuses" / "hp"
    place.mkdir(parents=True)
    (folder / "codes").mkdir()
    for number, (name, (match, kind, tree)) in enumerate(RULES.items()):
        rule = {
            "name": f"built-{name}",
            "facility": "HP",
            "description": "reads what the platform builds",
            "match": match,
            "kind": kind,
            "map": {"patient": PATIENT, **tree},
        }
        text = json.dumps(rule, ensure_ascii=False)
        (place / f"{number}-{name}.yaml").write_text(text, encoding="utf-8")
    return folder
