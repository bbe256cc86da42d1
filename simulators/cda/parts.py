"""The elements that documents are made of (CDA R2), and the code systems they name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lxml import etree
from lxml.builder import ElementMaker

V3 = "urn:hl7-org:v3"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
TYPE = f"{{{XSI}}}type"
E = ElementMaker(namespace=V3, nsmap={None: V3, "xsi": XSI})

Element = etree._Element

ELEMENTS = ("2.16.156.10011.2.2.1", "卫生信息数据元目录")
LOINC = ("2.16.840.1.113883.6.1", "LOINC")
ICD10 = ("2.16.156.10011.2.3.3.11", "诊断代码表(ICD-10)")
ICD9 = ("2.16.156.10011.2.3.3.12", "手术(操作)代码表(ICD-9-CM)")
INTERPRETATION = ("2.16.840.1.113883.5.83", "ObservationInterpretation")


def when(time: datetime) -> str:
    """Return a time as HL7 v3 writes it, in the hospital's own zone."""
    return f"{time:%Y%m%d%H%M%S}"


def coded(tag: str, code: str, name: str, system: tuple[str, str]) -> Element:
    """Return a coded element."""
    oid, title = system
    return E(tag, code=code, codeSystem=oid, codeSystemName=title, displayName=name)


def value(kind: str, text: str | None = None, **attributes: str) -> Element:
    """Return a value of a data type: ST with text, the others with attributes."""
    made = E("value", **attributes)
    made.set(TYPE, kind)
    made.text = text
    return made


def observation(code: str, name: str, *rest: Element) -> Element:
    """Return an observation of a data element."""
    said = coded("code", code, name, ELEMENTS)
    return E("observation", said, *rest, classCode="OBS", moodCode="EVN")


def stated(code: str, name: str, text: str) -> Element:
    """Return an entry that says a data element in words."""
    return E("entry", observation(code, name, value("ST", text)))


def diagnosis(code: str, name: str, label: str = "诊断代码") -> Element:
    """Return an entry of a diagnosis."""
    system, title = ICD10
    found = value("CD", code=code, codeSystem=system, codeSystemName=title, displayName=name)
    return E("entry", observation("DE05.01.024.00", label, found))


def section(code: str, name: str, text: str, entries: Iterable[Element], title: str = "") -> Element:
    """Return a section; without a code where WS/T 500 gives none."""
    said = coded("code", code, name, LOINC) if code else E("code", displayName=name)
    narrative = E("text", *(E("paragraph", line) for line in text.split("\n")))
    return E("component", E("section", said, E("title", title or name), narrative, *entries))
