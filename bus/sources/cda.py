"""Clinical documents (HL7 CDA R2) as a source: the document itself, or the one that an upload carries.

A message of the type `cda:…` keeps the bytes as they came: of a REST upload or a file they are the document,
of a SOAP upload the envelope with the document in 内容, in base64.
"""

from __future__ import annotations

import binascii
from base64 import b64decode

from lxml import etree

from bus.sources.source import Envelope, UnreadableError
from bus.sources.xml import XmlSource
from bus.sources.xml_parser import ForbiddenXmlError, MalformedXmlError, parse_xml

UPLOAD = "urn:yilian:upload:v1"
CARRIER = f"{{{UPLOAD}}}CDA上传"
CONTENT = f"{{{UPLOAD}}}内容"


def carried(root: etree._Element) -> bytes | None:
    """Return the document that a SOAP upload carries; None for what is none. Raises `ValueError`."""
    carrier = next(root.iter(CARRIER), None)
    if carrier is None:
        return None
    text = "".join((carrier.findtext(CONTENT) or "").split())
    try:
        return b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def parse_cda(body: bytes, envelope: Envelope) -> XmlSource:
    """Return the source of a document; `#document` is its bytes in base64. Raises `UnreadableError`."""
    try:
        root = parse_xml(body)
        inside = carried(root)
        if inside is None:
            return XmlSource(root, envelope, document=body)
        return XmlSource(parse_xml(inside), envelope, document=inside)
    except ForbiddenXmlError as error:
        raise UnreadableError(error.code, str(error)) from error
    except MalformedXmlError as error:
        raise UnreadableError("malformed_xml", f"not well-formed XML, {error}") from error
    except ValueError as error:
        raise UnreadableError("malformed_xml", "the document is not base64") from error
