"""What routing needs to know of a document, read from its header."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from bus.cda.kinds import INPATIENT_NUMBER, NATIONAL, OUTPATIENT_NUMBER, TYPES, is_code
from bus.cda.problem import DocumentError
from bus.sources.xml_parser import codec_of

V3 = "urn:hl7-org:v3"
ROOT = f"{{{V3}}}ClinicalDocument"
PATIENT_ROLE = "recordTarget/patientRole"
VISIT = "componentOf/encompassingEncounter"
LONGEST = 100
"""Characters of a number that a hospital gives."""


@dataclass(frozen=True, slots=True)
class Heading:
    """The header of a document as far as routing cares."""

    type: str
    """Code of the kind: C0007."""
    number: str
    """The document's own id."""
    patient_number: str
    """The campus's own number of the patient."""
    visit_number: str | None
    time: str | None
    charset: str
    """Python codec by which the document decodes."""

    @property
    def message_type(self) -> str:
        """The inbox's message type: `cda:C0007`."""
        return f"cda:{self.type}"


def read_heading(root: etree._Element) -> Heading:
    """Read a header; raises `DocumentError` for what cannot be routed."""
    if root.tag != ROOT:
        chinese = f"根元素应为 {{{V3}}}ClinicalDocument"
        raise DocumentError(
            "not_a_document",
            etree.QName(root).localname,
            chinese,
            f"the root must be ClinicalDocument of {V3}",
        )
    return Heading(
        type=_type(root),
        number=_number(root),
        patient_number=_patient(root),
        visit_number=_visit(root),
        time=_attribute(root, "effectiveTime", "value"),
        charset=_charset(root),
    )


def _charset(root: etree._Element) -> str:
    try:
        return codec_of(root.getroottree().docinfo.encoding or "utf-8")
    except LookupError:
        chinese, english = "不认识的字符集", "unknown charset; use UTF-8 or GB18030"
        raise DocumentError("unknown_charset", "", chinese, english) from None


def _type(root: etree._Element) -> str:
    code = _attribute(root, "code", "code") or ""
    if _attribute(root, "code", "codeSystem") != TYPES or not is_code(code):
        chinese = f"文档类型代码应为 C0001 至 C0053, codeSystem {TYPES}"
        english = f"the document's code must be C0001 to C0053 of {TYPES}; correct it and send again"
        raise DocumentError("document_type", "ClinicalDocument/code", chinese, english)
    return code


def _number(root: etree._Element) -> str:
    number = (_attribute(root, "id", "extension") or "").strip()
    if not 1 <= len(number) <= LONGEST:
        chinese, english = (
            "缺少文档流水号, 或超过 100 个字符",
            "the document's id needs an extension of 1 to 100 characters",
        )
        raise DocumentError("document_id", "ClinicalDocument/id", chinese, english)
    return number


def _patient(root: etree._Element) -> str:
    own = [
        extension
        for number in _all(root, f"{PATIENT_ROLE}/id")
        if (extension := number.get("extension", "").strip())
        and not number.get("root", NATIONAL).startswith(NATIONAL)
    ]
    if len(own) != 1 or len(own[0]) > LONGEST:
        chinese = "应恰有一个院内患者编号: root 为本院标识域的 OID, extension 为编号"
        english = (
            "exactly one id must be the campus's own patient number: root its domain, extension the number"
        )
        raise DocumentError("patient_number", f"ClinicalDocument/{PATIENT_ROLE}/id", chinese, english)
    return own[0]


def _visit(root: etree._Element) -> str | None:
    stated = _attribute(root, f"{VISIT}/id", "extension")
    numbers = {each.get("root"): each.get("extension") for each in _all(root, f"{PATIENT_ROLE}/id")}
    found = stated or numbers.get(INPATIENT_NUMBER) or numbers.get(OUTPATIENT_NUMBER)
    return (found or "").strip()[:LONGEST] or None


def _all(root: etree._Element, path: str) -> list[etree._Element]:
    return root.findall("/".join(f"{{{V3}}}{step}" for step in path.split("/")))


def _attribute(root: etree._Element, path: str, name: str) -> str | None:
    found = _all(root, path)
    return (found[0].get(name) or None) if found else None
