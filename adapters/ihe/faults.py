"""SOAP 1.2 faults: why a request could not be taken, in Chinese and English."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from lxml import etree

SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
DETAIL = "urn:yilian:upload:v1"
"""Namespace of what a fault says to programs: that of the upload interfaces, which say it so too."""


class Blame(enum.StrEnum):
    """Whose fault it is (SOAP 1.2 part 1, §5.4.6)."""

    SENDER = "Sender"
    RECEIVER = "Receiver"
    VERSION = "VersionMismatch"
    MUST_UNDERSTAND = "MustUnderstand"


@dataclass(frozen=True, slots=True)
class Fault:
    """One refusal. Its texts hold no patient data."""

    code: str
    """Machine-readable: malformed_xml, content_type, must_understand, forbidden, unavailable …"""
    chinese: str
    english: str
    blame: Blame = Blame.SENDER
    path: str = ""
    """Where the mistake is, in one element: names joined by `/`."""
    addressing: str = ""
    """Subcode of WS-Addressing 1.0 SOAP binding §6.4, where it is one of those."""
    not_understood: tuple[str, ...] = ()
    """Headers in Clark notation, of MustUnderstand."""
    status: int | None = None
    """HTTP status; None: what SOAP 1.2 part 2, table 20 prescribes."""

    @property
    def reason(self) -> str:
        """Both languages and the path in one line."""
        place = f"{self.path}: " if self.path else ""
        return f"{place}{self.chinese} | {self.english}"

    @property
    def http_status(self) -> int:
        """The HTTP status."""
        return self.status or (400 if self.blame is Blame.SENDER else 500)

    @property
    def action(self) -> str:
        """The wsa:Action of the fault (WS-Addressing 1.0 SOAP binding §6)."""
        return f"{WSA}/fault" if self.addressing else f"{WSA}/soap/fault"


class FaultError(Exception):
    """Raised where a request cannot go on; carries what is answered."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.english)
        self.fault = fault


def unavailable() -> Fault:
    """Return the fault of a platform that cannot answer now."""
    english = "the platform cannot answer now; send the same request again"
    return Fault("unavailable", "平台暂不可用, 请稍后原样重发", english, Blame.RECEIVER)


def body_of(fault: Fault) -> etree._Element:
    """Return the Fault element."""
    element = etree.Element(f"{{{SOAP}}}Fault", nsmap={"soap": SOAP, "wsa": WSA})
    code = etree.SubElement(element, f"{{{SOAP}}}Code")
    etree.SubElement(code, f"{{{SOAP}}}Value").text = f"soap:{fault.blame}"
    if fault.addressing:
        subcode = etree.SubElement(code, f"{{{SOAP}}}Subcode")
        etree.SubElement(subcode, f"{{{SOAP}}}Value").text = f"wsa:{fault.addressing}"
    reason = etree.SubElement(element, f"{{{SOAP}}}Reason")
    for language, text in (("en", fault.english), ("zh", fault.chinese)):  # many clients show the first
        part = etree.SubElement(reason, f"{{{SOAP}}}Text")
        part.set(XML_LANG, language)
        part.text = f"{fault.path}: {text}" if fault.path else text
    detail = etree.SubElement(element, f"{{{SOAP}}}Detail")
    error = etree.SubElement(detail, f"{{{DETAIL}}}错误", nsmap={"y": DETAIL})
    etree.SubElement(error, f"{{{DETAIL}}}代码").text = fault.code
    etree.SubElement(error, f"{{{DETAIL}}}路径").text = fault.path
    return element


def header_blocks(fault: Fault) -> list[etree._Element]:
    """Return the NotUnderstood header blocks (SOAP 1.2 part 1, §5.4.8)."""
    blocks = []
    for name in fault.not_understood:
        qname = etree.QName(name)
        block = etree.Element(
            f"{{{SOAP}}}NotUnderstood", nsmap={"soap": SOAP, "not": qname.namespace or SOAP}
        )
        block.set("qname", f"not:{qname.localname}" if qname.namespace else qname.localname)
        blocks.append(block)
    return blocks
