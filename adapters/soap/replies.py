"""What a SOAP service's reply says of the message: taken, later, never, wrong door, or nothing certain."""

from __future__ import annotations

import re

from lxml import etree

from adapters.exchange import Reply, verdict
from adapters.soap.versions import Version
from adapters.soap_faults import judged_fault
from bus.delivery.transport import ANSWER_KEPT, Answer, Verdict
from bus.rules.sending.soap import SoapAnswer
from bus.sources.source import Envelope, PathError, UnreadableError
from bus.sources.xml import parse_xml_source
from bus.sources.xml_parser import ForbiddenXmlError, MalformedXmlError, parse_xml

_ENVELOPES = frozenset(version.value for version in Version)
_DECLARATION = re.compile(r"^<\?xml[^>]*\?>")
"""Of XML inside a text: the encoding that it names is not the text's any more."""


def judged(reply: Reply, answer: SoapAnswer | None, *, one_way: bool) -> Answer:
    """Say what a reply means; `one_way`: the operation has no answer of its own."""
    meaning, code = _judged(reply, answer, one_way)
    return Answer(meaning, code, reply.body[:ANSWER_KEPT], reply.retry_after)


def _judged(reply: Reply, answer: SoapAnswer | None, one_way: bool) -> tuple[Verdict, str]:
    status = str(reply.status)
    by_status = verdict(reply.status)
    body = _body(reply)
    if body is None:
        if by_status is not Verdict.TAKEN or (one_way and not reply.body):
            return by_status, status
        return Verdict.UNSURE, "no_soap"  # somebody between us and the service may have answered
    fault = next((child for child in body if etree.QName(child).localname == "Fault"), None)
    if fault is not None:
        return judged_fault(fault)
    if by_status is not Verdict.TAKEN or answer is None:
        return by_status, status
    return _said(body, answer)


def _body(reply: Reply) -> etree._Element | None:
    """Return the Body of a reply that is SOAP, else None."""
    if not reply.whole or not reply.body:
        return None
    try:
        root = parse_xml(reply.body)
    except (ForbiddenXmlError, MalformedXmlError):
        return None
    name = etree.QName(root)
    if name.localname != "Envelope" or name.namespace not in _ENVELOPES:
        return None
    return root.find(f"{{{name.namespace}}}Body")


def _said(body: etree._Element, answer: SoapAnswer) -> tuple[Verdict, str]:
    """Judge by the code that the service writes into its answer."""
    code = _code(body, answer)
    if code is None:
        return Verdict.UNSURE, "no_code"
    if code in answer.taken:
        return Verdict.TAKEN, code[:64]
    return (Verdict.LATER if code in answer.later else Verdict.NEVER), code[:64]


def _code(body: etree._Element, answer: SoapAnswer) -> str | None:
    element = next(iter(body), None)
    if element is None:
        return None
    envelope = Envelope("", "", "xml:answer")
    try:
        source = parse_xml_source(etree.tostring(element, encoding="utf-8"), envelope)
        if answer.inside is not None:
            text = source.get(answer.inside)
            if text is None:
                return None
            source = parse_xml_source(_DECLARATION.sub("", text.strip()).encode(), envelope)
        return source.get(answer.code)
    except (PathError, UnreadableError):
        return None
