"""The envelope: read with its WS-Addressing headers, and made with them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

from adapters.ihe.faults import SOAP, WSA, Blame, Fault, FaultError, body_of, header_blocks
from adapters.ihe.mtom import Packed, content_of
from bus.sources.xml_parser import ForbiddenXmlError, MalformedXmlError, parse_xml

ANONYMOUS = f"{WSA}/anonymous"
NONE = f"{WSA}/none"
_OURS = frozenset({"", f"{SOAP}/role/next", f"{SOAP}/role/ultimateReceiver"})
_MUST = f"{{{SOAP}}}mustUnderstand"
_ROLE = f"{{{SOAP}}}role"


@dataclass(frozen=True, slots=True)
class Message:
    """A SOAP message that was understood."""

    action: str
    message_id: str | None
    relates_to: str | None
    payload: etree._Element
    """The one element of the Body."""
    envelope: bytes
    """As it came, without attachments."""
    attachments: Mapping[str, bytes] = field(default_factory=dict)
    mtom: bool = False

    def content_of(self, element: etree._Element) -> bytes:
        """Return the bytes of a base64Binary element, inline or attached. Raises FaultError."""
        return content_of(element, self.attachments)


def opened(packed: Packed, limit: int) -> etree._Element:
    """Return the Envelope element. Raises FaultError."""
    try:
        root = parse_xml(packed.envelope, size_limit=limit)
    except ForbiddenXmlError as error:
        raise FaultError(Fault(error.code, "不接受的 XML", str(error))) from error
    except MalformedXmlError as error:
        where = f"第 {error.line} 行第 {error.column} 列"
        english = f"not well-formed XML, {error}; documents over 7 MB need MTOM"
        raise FaultError(
            Fault("malformed_xml", f"XML 格式错误, {where}; 7 MB 以上的文档须用 MTOM", english)
        ) from error
    if root.tag != f"{{{SOAP}}}Envelope":
        english = f"the root must be Envelope of {SOAP}"
        raise FaultError(Fault("soap_version", "根元素应为 SOAP 1.2 的 Envelope", english, Blame.VERSION))
    return root


def message_id_of(root: etree._Element) -> str | None:
    """Return wsa:MessageID, as far as it is there: what a fault relates to."""
    return _text(_header(root), "MessageID")


def named(payload: etree._Element) -> str:
    """Return the action that an element of a Body stands for where nothing else says it: as HL7 v3 has it."""
    name = etree.QName(payload)
    return f"{name.namespace}:{name.localname}"


def read(root: etree._Element, packed: Packed, *, unaddressed: bool = False) -> Message:
    """Read a request or response; its headers are checked. Raises FaultError.

    With `unaddressed`, WS-Addressing may be missing: the action is then that of Content-Type, or else the
    payload's name.
    """
    header = _header(root)
    _refuse_unknown(header)
    payload = _payload(root)
    action = _action(header) or (unaddressed and (packed.action or named(payload)))
    if not action:
        raise missing("Action")
    if packed.action and packed.action != action:
        english = "the action in Content-Type differs from wsa:Action; make them equal"
        chinese = "Content-Type 的 action 与 wsa:Action 不一致"
        raise FaultError(Fault("action_mismatch", chinese, english, addressing="InvalidAddressingHeader"))
    for name in ("ReplyTo", "FaultTo"):
        _refuse_elsewhere(header, name)
    message_id, relates_to = _text(header, "MessageID"), _text(header, "RelatesTo")
    return Message(action, message_id, relates_to, payload, packed.envelope, packed.attachments, packed.mtom)


def written(
    payload: etree._Element, action: str, *, relates_to: str | None = None, to: str | None = None
) -> bytes:
    """Return an envelope: a request where `to` is given, otherwise a response.

    Who asked without WS-Addressing, so that there is nothing to relate to, need not understand it.
    """
    addressed = relates_to is not None or to is not None
    blocks = [_block("Action", action, must=addressed), _block("MessageID", f"urn:uuid:{uuid.uuid4()}")]
    if relates_to is not None:
        blocks.append(_block("RelatesTo", relates_to))
    if to is not None:
        reply_to = etree.Element(f"{{{WSA}}}ReplyTo", nsmap={"wsa": WSA})
        etree.SubElement(reply_to, f"{{{WSA}}}Address").text = ANONYMOUS
        blocks += [_block("To", to, must=True), reply_to]
    return _envelope(blocks, payload)


def fault_written(fault: Fault, relates_to: str | None) -> bytes:
    """Return the envelope of a fault."""
    blocks = [_block("Action", fault.action), _block("MessageID", f"urn:uuid:{uuid.uuid4()}")]
    if relates_to is not None:
        blocks.append(_block("RelatesTo", relates_to))
    return _envelope([*blocks, *header_blocks(fault)], body_of(fault))


def _envelope(blocks: list[etree._Element], payload: etree._Element) -> bytes:
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP, "wsa": WSA})
    etree.SubElement(envelope, f"{{{SOAP}}}Header").extend(blocks)
    etree.SubElement(envelope, f"{{{SOAP}}}Body").append(payload)
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def _block(name: str, text: str, *, must: bool = False) -> etree._Element:
    block = etree.Element(f"{{{WSA}}}{name}", nsmap={"wsa": WSA, "soap": SOAP})
    if must:
        block.set(_MUST, "1")
    block.text = text
    return block


def _header(root: etree._Element) -> etree._Element:
    header = root.find(f"{{{SOAP}}}Header")
    return header if header is not None else etree.Element(f"{{{SOAP}}}Header")


def _refuse_unknown(header: etree._Element) -> None:
    """Refuse what must be understood and is not (SOAP 1.2 part 1, §2.4). WS-Addressing is understood."""
    names = tuple(
        str(block.tag)
        for block in header
        if block.get(_MUST, "").strip() in ("1", "true")
        and block.get(_ROLE, "").strip() in _OURS
        and etree.QName(block).namespace != WSA
    )
    if names:
        listed = ", ".join(etree.QName(name).localname for name in names)
        english = f"the header {listed} is not understood here; send it without mustUnderstand"
        raise FaultError(
            Fault(
                "must_understand",
                f"不支持消息头块 {listed}",
                english,
                Blame.MUST_UNDERSTAND,
                not_understood=names,
            )
        )


def _action(header: etree._Element) -> str:
    """Return what is stated; empty: nothing is."""
    found = header.findall(f"{{{WSA}}}Action")
    if len(found) > 1:
        english = "wsa:Action is there more than once"
        raise FaultError(
            Fault("addressing", "wsa:Action 重复", english, addressing="InvalidAddressingHeader")
        )
    return (found[0].text or "").strip() if found else ""


def missing(name: str) -> FaultError:
    """Return the error of a header of WS-Addressing that is not there."""
    english = f"the header wsa:{name} is missing; IHE needs WS-Addressing"
    required = "MessageAddressingHeaderRequired"
    return FaultError(Fault("addressing", f"缺少消息头 wsa:{name}", english, addressing=required))


def _text(header: etree._Element, name: str) -> str | None:
    return (header.findtext(f"{{{WSA}}}{name}") or "").strip() or None


def _refuse_elsewhere(header: etree._Element, name: str) -> None:
    address = (header.findtext(f"{{{WSA}}}{name}/{{{WSA}}}Address") or ANONYMOUS).strip()
    if address not in (ANONYMOUS, NONE):
        english = f"wsa:{name} must be anonymous: the answer goes back on the same connection"
        raise FaultError(
            Fault(
                "addressing",
                f"wsa:{name} 应为 anonymous",
                english,
                addressing="OnlyAnonymousAddressSupported",
            )
        )


def _payload(root: etree._Element) -> etree._Element:
    body = root.find(f"{{{SOAP}}}Body")
    if body is None or len(body) != 1:
        english = "soap:Body must hold exactly one element"
        raise FaultError(Fault("soap_body", "soap:Body 应恰有一个元素", english))
    return body[0]
