"""Telling a consumer of changed identifiers by SOAP 1.2 with WS-Addressing (ITI-46)."""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree

from adapters.exchange import Exchange, Reply, Request, again, authorization, verdict
from adapters.ihe import envelope
from adapters.ihe.faults import SOAP, FaultError
from adapters.ihe.mtom import Parts, unpack
from adapters.soap_faults import judged_fault
from bus.delivery.transport import (
    ANSWER_KEPT,
    Answer,
    OnWire,
    Outgoing,
    SentForm,
    UnsendableError,
    Verdict,
)
from bus.hl7v3.names import ACKNOWLEDGEMENT, REVISE, tag
from bus.rules.destinations import PixV3Destination
from bus.sources.xml_parser import ForbiddenXmlError, MalformedXmlError, parse_xml

ACTION = f"urn:hl7-org:v3:{REVISE}"
_LIMIT = 1024 * 1024
"""Bytes read of a reply; a longer one says nothing certain."""
_CODES = {
    "AA": Verdict.TAKEN,
    "CA": Verdict.TAKEN,
    "AE": Verdict.NEVER,
    "CE": Verdict.NEVER,
    "AR": Verdict.NEVER,
    "CR": Verdict.NEVER,
}
"""Acknowledgement type codes. AE and CE are for good here, where those of HL7 v2 are tried again."""


class PixV3Transport:
    """`bus.delivery.transport.Transport` to a Patient Identifier Cross-reference Consumer."""

    def __init__(self, spec: PixV3Destination, secrets: Mapping[str, str], name: str = "") -> None:
        """`name`: see `Exchange`.

        Raises PermanentError when a secret is not set, or the TLS files cannot be read.
        """
        self._spec = spec
        self._headers = {"user-agent": "yilian", **authorization(spec.sign_in, secrets)}
        self._exchange = Exchange(spec, _LIMIT, name)

    async def check(self) -> None:
        """A consumer says nothing without a message."""

    async def send(self, message: Outgoing, on_wire: OnWire) -> Answer:
        """Tell it; see `Transport`. Raises UnsendableError for anything that is no notice."""
        written = envelope.written(_notice(message.body), ACTION, to=self._spec.address)
        body, content_type = Parts(mtom=False).pack(written, ACTION)
        headers = {**self._headers, "content-type": content_type, **again(message)}
        request = Request("POST", self._spec.address, headers, body, SentForm(body, "utf-8"))
        reply = await self._exchange.send(request, on_wire)
        meaning, code = _judged(reply)
        return Answer(meaning, code, reply.body[:ANSWER_KEPT], reply.retry_after)

    async def close(self) -> None:
        """Close all connections."""
        await self._exchange.close()


def _notice(body: bytes) -> etree._Element:
    try:
        root = parse_xml(body)
    except (ForbiddenXmlError, MalformedXmlError):
        root = None
    if root is None or root.tag != tag(REVISE):
        raise UnsendableError("no_notice", f"it is no {REVISE}, and the destination takes nothing else")
    return root


def _judged(reply: Reply) -> tuple[Verdict, str]:
    by_status, status = verdict(reply.status), str(reply.status)
    body = _body(reply)
    if body is None:
        # Somebody between us and the consumer may have answered.
        return (Verdict.UNSURE, "no_soap") if by_status is Verdict.TAKEN else (by_status, status)
    fault = body.find(f"{{{SOAP}}}Fault")
    if fault is not None:
        return judged_fault(fault)
    said = body.find(f"{tag(ACKNOWLEDGEMENT)}/{tag('acknowledgement')}/{tag('typeCode')}")
    code = "" if said is None else (said.get("code") or "").strip()
    return (_CODES[code], code) if code in _CODES else (Verdict.UNSURE, "no_code")


def _body(reply: Reply) -> etree._Element | None:
    """Return the Body of a reply that is SOAP 1.2, else None."""
    if not reply.whole or not reply.body:
        return None
    try:
        packed = unpack(reply.body, reply.headers.get("content-type", ""))
        return envelope.opened(packed, _LIMIT).find(f"{{{SOAP}}}Body")
    except FaultError:
        return None
