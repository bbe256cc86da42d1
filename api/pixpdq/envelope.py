"""SOAP 1.2 with WS-Addressing 1.0 around a v3 message (ITI TF-2 Appendix V)."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from adapters.soap.faults import Blame, Fault, FaultError
from adapters.soap.versions import Version, by_media_type
from bus.hl7v3.elements import Element
from bus.hl7v3.names import NAMESPACE
from bus.sources.xml_parser import ForbiddenXmlError, MalformedXmlError, parse_xml

SOAP = Version.V12.value
ADDRESSING = "http://www.w3.org/2005/08/addressing"
ANONYMOUS = f"{ADDRESSING}/anonymous"


@dataclass(frozen=True, slots=True)
class Addressed:
    """A message, and what its header says."""

    payload: Element
    action: str | None = None
    message_id: str | None = None


def action(interaction: str) -> str:
    """Return the WS-Addressing action of an interaction."""
    return f"{NAMESPACE}:{interaction}"


def read(body: bytes, content_type: str, limit: int) -> Addressed:
    """Read a request. Raises FaultError."""
    if by_media_type(content_type) is not Version.V12:
        english = "send SOAP 1.2: Content-Type application/soap+xml"
        raise FaultError(Fault("content_type", "应为 SOAP 1.2: application/soap+xml", english, status=415))
    root = _parsed(body, limit)
    if root.tag != f"{{{SOAP}}}Envelope":
        english = f"the root must be an Envelope of {SOAP}"
        raise FaultError(
            Fault("soap_version", "根元素应为 SOAP 1.2 的 Envelope", english, blame=Blame.VERSION)
        )
    content = root.find(f"{{{SOAP}}}Body")
    if content is None or len(content) != 1:
        english = "soap:Body must hold exactly one message"
        raise FaultError(Fault("soap_body", "soap:Body 应恰有一条消息", english, "Body"))
    return _addressed(root.find(f"{{{SOAP}}}Header"), content[0])


def _parsed(body: bytes, limit: int) -> Element:
    try:
        return parse_xml(body, size_limit=limit)
    except ForbiddenXmlError as error:
        raise FaultError(Fault(error.code, "不接受的 XML", str(error))) from error
    except MalformedXmlError as error:
        raise FaultError(Fault("malformed_xml", "XML 格式错误", f"not well-formed XML, {error}")) from error


def _addressed(header: Element | None, payload: Element) -> Addressed:
    blocks = list(header) if header is not None else []
    for block in blocks:
        name = etree.QName(block)
        must = block.get(f"{{{SOAP}}}mustUnderstand", "").strip() in ("1", "true")
        if must and name.namespace != ADDRESSING:
            english = "this header is not understood here; send it without mustUnderstand"
            path = f"Header/{name.localname}"
            raise FaultError(
                Fault("must_understand", "不支持该消息头块", english, path, Blame.MUST_UNDERSTAND)
            )
    _anonymous(header)
    return Addressed(payload, _text(header, "Action"), _text(header, "MessageID"))


def _anonymous(header: Element | None) -> None:
    """Refuse to answer elsewhere than on the connection."""
    for name in ("ReplyTo", "FaultTo"):
        address = _text(header, f"{name}/{{{ADDRESSING}}}Address")
        if address not in (None, ANONYMOUS):
            english = f"answers go back on the same connection: let {name} be anonymous, or leave it out"
            raise FaultError(Fault("reply_to", "仅支持同步应答", english, f"Header/{name}"))


def _text(header: Element | None, path: str) -> str | None:
    text = None if header is None else header.findtext(f"{{{ADDRESSING}}}{path}")
    return (text.strip() or None) if text else None


def check_action(addressed: Addressed, interaction: str) -> None:
    """Refuse an action that is another message's. Raises FaultError."""
    if addressed.action not in (None, action(interaction), *_CONTINUED.get(interaction, ())):
        english = f"wsa:Action must be {action(interaction)}, as the message in the Body is"
        raise FaultError(Fault("action", "wsa:Action 与消息不符", english, "Header/Action"))


_CONTINUED = {
    "QUQI_IN000003UV01": (action("QUQI_IN000003UV01_Continue"), action("QUQI_IN000003UV01_Cancel")),
    "QUQI_IN000003UV01_Cancel": (action("QUQI_IN000003UV01"),),
}


def wrap(payload: Element, interaction: str, message_id: str, relates_to: str | None) -> bytes:
    """Return the envelope of an answer."""
    nsmap = {"soap": SOAP, "wsa": ADDRESSING}
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap=nsmap)
    header = etree.SubElement(envelope, f"{{{SOAP}}}Header")
    said = {"Action": action(interaction), "MessageID": f"urn:uuid:{message_id}", "RelatesTo": relates_to}
    for name, text in said.items():
        if text is not None:
            etree.SubElement(header, f"{{{ADDRESSING}}}{name}").text = text
    etree.SubElement(envelope, f"{{{SOAP}}}Body").append(payload)
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")
