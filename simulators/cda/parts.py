"""The elements that documents are made of (CDA R2), and the code systems they name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from lxml import etree

V3 = "urn:hl7-org:v3"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
TYPE = f"{{{XSI}}}type"
NAMESPACES: Any = {None: V3, "xsi": XSI}

Element = etree._Element  # noqa: SLF001 - the type's only name

ELEMENTS = ("2.16.156.10011.2.2.1", "卫生信息数据元目录")
LOINC = ("2.16.840.1.113883.6.1", "LOINC")
ICD10 = ("2.16.156.10011.2.3.3.11", "诊断代码表(ICD-10)")
ICD9 = ("2.16.156.10011.2.3.3.12", "手术(操作)代码表(ICD-9-CM)")
INTERPRETATION = ("2.16.840.1.113883.5.83", "ObservationInterpretation")


def made(tag: str, *content: Element | str, **attributes: str) -> Element:
    """Return an element of HL7 v3."""
    element = etree.Element(f"{{{V3}}}{tag}", attributes, nsmap=NAMESPACES)
    for part in content:
        if isinstance(part, str):
            element.text = part
        else:
            element.append(part)
    return element


def when(time: datetime) -> str:
    """Return a time as HL7 v3 writes it, in the hospital's own zone."""
    return f"{time:%Y%m%d%H%M%S}"


def coded(tag: str, code: str, name: str, system: tuple[str, str]) -> Element:
    """Return a coded element."""
    oid, title = system
    return made(tag, code=code, codeSystem=oid, codeSystemName=title, displayName=name)


def value(kind: str, text: str | None = None, **attributes: str) -> Element:
    """Return a value of a data type: ST with text, the others with attributes."""
    found = made("value", **attributes)
    found.set(TYPE, kind)
    found.text = text
    return found


def observation(code: str, name: str, *rest: Element) -> Element:
    """Return an observation of a data element."""
    said = coded("code", code, name, ELEMENTS)
    return made("observation", said, *rest, classCode="OBS", moodCode="EVN")


def stated(code: str, name: str, text: str) -> Element:
    """Return an entry that says a data element in words."""
    return made("entry", observation(code, name, value("ST", text)))


def words(code: str, name: str, title: str, element: tuple[str, str], text: str) -> Element:
    """Return a section that says one data element in words."""
    return section(code, name, text, [stated(*element, text)], title)


def coded_value(code: str, name: str, system: tuple[str, str]) -> Element:
    """Return a value of the data type CD."""
    oid, title = system
    return value("CD", code=code, codeSystem=oid, codeSystemName=title, displayName=name)


def diagnosis(code: str, name: str, label: str = "诊断代码") -> Element:
    """Return an entry of a diagnosis."""
    return made("entry", observation("DE05.01.024.00", label, coded_value(code, name, ICD10)))


def section(code: str, name: str, text: str, entries: Iterable[Element], title: str = "") -> Element:
    """Return a section; without a code where WS/T 500 gives none."""
    said = coded("code", code, name, LOINC) if code else made("code", displayName=name)
    narrative = made("text", *(made("paragraph", line) for line in text.split("\n")))
    return made("component", made("section", said, made("title", title or name), narrative, *entries))
