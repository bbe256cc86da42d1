"""From the bytes of a SOAP request to an arrival for the inbox, and from a receipt to the answer."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import sha256

from lxml import etree

from adapters.soap.faults import Blame, Fault, FaultError
from adapters.soap.interfaces import ANSWER, NAMESPACE, Interface
from adapters.soap.validation import validate
from adapters.soap.versions import Version
from bus.cda.heading import Heading as Document
from bus.cda.intake import take
from bus.cda.problem import DocumentError
from bus.envelope import Arrival, Receipt
from bus.sources.cda import carried
from bus.sources.xml_parser import ForbiddenXmlError, MalformedXmlError, codec_of, parse_xml

_CHARSET = re.compile(r"charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)
CDA = "cda"
_SENT_AT = f"{{{NAMESPACE}}}时间"
_FORBIDDEN = {
    "xml_doctype": "不接受 DOCTYPE",
    "xml_entity": "不接受实体引用, 请直接写字符",
    "xml_comment": "值内不接受注释",
    "xml_depth": "元素嵌套过深",
    "xml_size": "消息过大",
}


@dataclass(frozen=True, slots=True)
class Heading:
    """消息头 as sent."""

    control_id: str
    sender: str
    facility: str
    sent_at: str


@dataclass(frozen=True, slots=True)
class Content:
    """A request that is a SOAP message; whether it fits its schema is not said yet."""

    heading: Heading
    """As far as it is there."""
    payload: etree._Element
    charset: str
    document: Document | None = None
    """What the clinical document says of itself that it carries; known once it is checked."""


def read(body: bytes, content_type: str, version: Version, limit: int) -> Content:
    """Parse a request; raises `FaultError`."""
    root = _parse(body, limit)
    charset = _charset(root, content_type)
    payload = _payload(root, version)
    return Content(_heading(payload), payload, charset)


def check(content: Content, interface: Interface) -> Content:
    """Validate a request against its interface, and a document that it carries; raises `FaultError`."""
    if content.payload.tag != f"{{{NAMESPACE}}}{interface.root}":
        raise FaultError(_wrong_root(content.payload, interface))
    validate(content.payload, interface.schema)
    return replace(content, document=_document(content.payload)) if interface.name == CDA else content


def _document(payload: etree._Element) -> Document:
    try:
        return take(carried(payload) or b"")
    except DocumentError as error:
        raise FaultError(Fault(error.code, error.chinese, error.english, error.path)) from error


def arrival(content: Content, body: bytes, interface: Interface) -> Arrival:
    """Return what the inbox takes: the whole envelope as it came, and what routing needs."""
    heading, document = content.heading, content.document
    return Arrival(
        facility=heading.facility,
        sender=heading.sender,
        control_id=heading.control_id,
        message_type=document.message_type if document else interface.message_type,
        body=body,
        charset=content.charset,
        protocol="soap",
        endpoint=f"/soap/{interface.name}",
        digest=digest(content.payload),
        patient_number=document.patient_number if document else _text(content.payload, "患者信息/患者编号"),
        visit_number=document.visit_number if document else _visit_number(content.payload),
        message_time=heading.sent_at,
    )


def _visit_number(payload: etree._Element) -> str | None:
    return _text(payload, "就诊编号") or _text(payload, "就诊信息/就诊编号")


def digest(payload: etree._Element) -> bytes:
    """Hash the payload without 消息头/时间, which a retry changes, in Exclusive XML Canonicalization 1.0."""
    total = sha256()
    for part in payload:
        for element in part if part.find(_SENT_AT) is not None else (part,):
            if element.tag != _SENT_AT:
                total.update(etree.tostring(element, method="c14n", exclusive=True, with_tail=False))
    return total.digest()


def answer(receipt: Receipt, heading: Heading, version: Version) -> bytes:
    """Return 上传应答: AA. It depends on the stored message alone, so a retry gets the same bytes."""
    soap = version.value
    envelope = etree.Element(f"{{{soap}}}Envelope", nsmap={"soap": soap, "y": NAMESPACE})
    element = etree.SubElement(etree.SubElement(envelope, f"{{{soap}}}Body"), f"{{{NAMESPACE}}}{ANSWER}")
    fields = {
        "结果代码": "AA",
        "结果说明": "已接收",
        "消息编号": heading.control_id,
        "平台编号": str(receipt.id),
    }
    for name, text in fields.items():
        etree.SubElement(element, f"{{{NAMESPACE}}}{name}").text = text
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def _parse(body: bytes, limit: int) -> etree._Element:
    try:
        return parse_xml(body, size_limit=limit)
    except ForbiddenXmlError as error:
        raise FaultError(Fault(error.code, _FORBIDDEN.get(error.code, "不接受的 XML"), str(error))) from error
    except MalformedXmlError as error:
        where = f"第 {error.line} 行第 {error.column} 列"
        raise FaultError(
            Fault("malformed_xml", f"XML 格式错误, {where}", f"not well-formed XML, {error}")
        ) from error


def _charset(root: etree._Element, content_type: str) -> str:
    declared = _codec(root.getroottree().docinfo.encoding or "utf-8")
    announced = _CHARSET.search(content_type)
    if announced and _codec(announced.group(1)) != declared:
        chinese = "Content-Type 的 charset 与 XML 声明的 encoding 不一致"
        english = "charset of Content-Type differs from encoding of the XML declaration; make them equal"
        raise FaultError(Fault("charset", chinese, english))
    return declared


def _codec(name: str) -> str:
    try:
        return codec_of(name)
    except LookupError:
        raise FaultError(
            Fault("unknown_charset", "不认识的字符集", "unknown charset; use UTF-8 or GB18030")
        ) from None


def _payload(root: etree._Element, version: Version) -> etree._Element:
    name = etree.QName(root)
    if name.localname != "Envelope" or name.namespace != version.value:
        chinese = f"根元素应为 {version.media_type} 对应版本的 soap:Envelope"
        english = (
            f"the root must be an Envelope of {version.value}, as Content-Type {version.media_type} says"
        )
        raise FaultError(Fault("soap_version", chinese, english, blame=Blame.VERSION))
    _refuse_headers(root, version)
    body = root.find(f"{{{version.value}}}Body")
    if body is None or len(body) != 1:
        raise FaultError(
            Fault("soap_body", "soap:Body 应恰有一个元素", "soap:Body must hold exactly one element", "Body")
        )
    return body[0]


def _refuse_headers(root: etree._Element, version: Version) -> None:
    header = root.find(f"{{{version.value}}}Header")
    for block in header if header is not None else ():
        if block.get(f"{{{version.value}}}mustUnderstand", "").strip() in ("1", "true"):
            path = f"Header/{etree.QName(block).localname}"
            english = "this header is not understood here; send it without mustUnderstand"
            raise FaultError(
                Fault("must_understand", "不支持该消息头块", english, path, Blame.MUST_UNDERSTAND)
            )


def _wrong_root(payload: etree._Element, interface: Interface) -> Fault:
    chinese = f"此接口只接收 {{{NAMESPACE}}}{interface.root}"
    english = f"this interface takes the element {interface.root} of {NAMESPACE} alone"
    return Fault("schema", chinese, english, f"Body/{etree.QName(payload).localname}")


def _heading(payload: etree._Element) -> Heading:
    values = [_text(payload, f"消息头/{name}") or "" for name in ("消息编号", "发送系统", "机构代码", "时间")]
    return Heading(*values)


def _text(payload: etree._Element, path: str) -> str | None:
    steps = "/".join(f"{{{NAMESPACE}}}{name}" for name in path.split("/"))
    text = payload.findtext(steps)
    return (text.strip() or None) if text else None
