"""SOAP faults: why a request was refused, in Chinese and English, with the place of the mistake."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from lxml import etree

from adapters.soap.interfaces import NAMESPACE
from adapters.soap.versions import Version


class Blame(enum.Enum):
    """Whose fault it is; the value is the code in SOAP 1.1, `in_12` that of SOAP 1.2."""

    SENDER = "Client"
    RECEIVER = "Server"
    VERSION = "VersionMismatch"
    MUST_UNDERSTAND = "MustUnderstand"

    @property
    def in_12(self) -> str:
        """Return the code's name in SOAP 1.2 part 1, §5.4.6."""
        return {"Client": "Sender", "Server": "Receiver"}.get(self.value, self.value)


@dataclass(frozen=True, slots=True)
class Fault:
    """One refusal. Its texts hold no patient data."""

    code: str
    """Machine-readable: malformed_xml, xml_doctype, schema, wrong_campus, too_large …"""
    chinese: str
    english: str
    path: str = ""
    """Element names joined by `/`, where the mistake is in one element."""
    blame: Blame = Blame.SENDER
    status: int | None = None
    """HTTP status; None: what the version prescribes."""

    @property
    def reason(self) -> str:
        """Return both languages and the path in one line."""
        place = f"{self.path}: " if self.path else ""
        return f"{place}{self.chinese} | {self.english}"

    def http_status(self, version: Version) -> int:
        """Return the HTTP status: 500 in SOAP 1.1 (§6.2); 400 for Sender in 1.2 (part 2, table 20)."""
        if self.status is not None:
            return self.status
        return 400 if version is Version.V12 and self.blame is Blame.SENDER else 500


class FaultError(Exception):
    """Raised where a request cannot go on; carries what is answered and recorded."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


def render(fault: Fault, version: Version) -> bytes:
    """Return the fault's envelope."""
    soap = version.value
    envelope = etree.Element(f"{{{soap}}}Envelope", nsmap={"soap": soap, "y": NAMESPACE})
    body = etree.SubElement(etree.SubElement(envelope, f"{{{soap}}}Body"), f"{{{soap}}}Fault")
    detail = _v11(body, fault) if version is Version.V11 else _v12(body, fault, soap)
    error = etree.SubElement(detail, f"{{{NAMESPACE}}}错误")
    etree.SubElement(error, f"{{{NAMESPACE}}}代码").text = fault.code
    etree.SubElement(error, f"{{{NAMESPACE}}}路径").text = fault.path
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def _v11(body: etree._Element, fault: Fault) -> etree._Element:
    etree.SubElement(body, "faultcode").text = f"soap:{fault.blame.value}"
    etree.SubElement(body, "faultstring").text = fault.reason
    return etree.SubElement(body, "detail")


def _v12(body: etree._Element, fault: Fault, soap: str) -> etree._Element:
    code = etree.SubElement(body, f"{{{soap}}}Code")
    etree.SubElement(code, f"{{{soap}}}Value").text = f"soap:{fault.blame.in_12}"
    reason = etree.SubElement(body, f"{{{soap}}}Reason")
    for language, text in (("zh", fault.chinese), ("en", fault.english)):
        element = etree.SubElement(reason, f"{{{soap}}}Text")
        element.set("{http://www.w3.org/XML/1998/namespace}lang", language)
        element.text = f"{fault.path}: {text}" if fault.path else text
    return etree.SubElement(body, f"{{{soap}}}Detail")
