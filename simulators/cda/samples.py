"""A seeded document of each kind, and corrected versions of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from lxml import etree

from simulators.cda import bodies
from simulators.cda.header import Told, header
from simulators.cda.parts import Element, made
from simulators.cda.story import Story, story

Body = Callable[[Story], Sequence[Element]]
REQUEST, PRESCRIPTION = "2.16.156.10011.1.24", "2.16.156.10011.1.20"
EXAM_REPORT, LAB_REPORT = "2.16.156.10011.1.32", "2.16.156.10011.1.33"


@dataclass(frozen=True, slots=True)
class _Plan:
    code: str
    body: Body
    inpatient: bool = False
    ids: Mapping[str, str] | None = None
    """OID to the prefix of its number."""


KINDS: Mapping[str, _Plan] = {
    "summary": _Plan("C0001", bodies.summary),
    "outpatient": _Plan("C0002", bodies.outpatient),
    "prescription": _Plan("C0004", bodies.prescription, ids={PRESCRIPTION: "HCR"}),
    "herbs": _Plan("C0005", lambda s: bodies.prescription(s, herbs=True), ids={PRESCRIPTION: "HCR"}),
    "exam": _Plan("C0006", bodies.exam, ids={EXAM_REPORT: "HCE", REQUEST: "HCO"}),
    "lab": _Plan("C0007", bodies.lab, ids={LAB_REPORT: "HCL", REQUEST: "HCO"}),
    "surgery": _Plan("C0009", bodies.surgery, inpatient=True, ids={REQUEST: "HCO"}),
    "discharge": _Plan("C0053", bodies.discharge, inpatient=True),
}
"""Kinds by name."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One document."""

    name: str
    code: str
    number: str
    patient: str
    """The campus's number of the patient."""
    visit: str
    body: bytes


def document(
    seed: int, today: date, kind: str, place: int = 1, version: int = 1, charset: str = "UTF-8"
) -> Sample:
    """Return the `place`-th document of a kind on a day; from version 2 on it replaces the version before."""
    plan = KINDS[kind]
    number = 10 * place + list(KINDS).index(kind)
    told_of = story(seed, today, number, inpatient=plan.inpatient)
    serial = f"{today:%y%m%d}{number:03d}"
    own = f"HCD{serial}"
    told = Told(
        kind=plan.code,
        number=own if version == 1 else f"{own}-{version}",
        ids=[(oid, f"{prefix}{serial}") for oid, prefix in (plan.ids or {}).items()],
        version=version,
        replaces=None if version == 1 else own if version == 2 else f"{own}-{version - 1}",
    )
    sections = made("component", made("structuredBody", *plan.body(told_of)))
    root = made("ClinicalDocument", *header(told_of, told), sections)
    etree.indent(root)
    body = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    if charset != "UTF-8":
        text = body.decode().replace("encoding='UTF-8'", f"encoding='{charset}'", 1)
        body = text.encode(charset)
    return Sample(kind, plan.code, told.number, told_of.patient.number, told_of.visit, body)
