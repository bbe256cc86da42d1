"""What every way in asks of a document before it is stored."""

from __future__ import annotations

from lxml import etree

from bus.cda.heading import Heading, read_heading
from bus.cda.problem import DocumentError
from bus.cda.schema import check_structure
from bus.sources.xml_parser import ForbiddenXmlError, MalformedXmlError, parse_xml


def parse_document(body: bytes) -> etree._Element:
    """Parse a document with the hardened parser; raises `DocumentError`."""
    try:
        return parse_xml(body)
    except ForbiddenXmlError as error:
        raise DocumentError(error.code, "", "不接受的 XML", str(error)) from error
    except MalformedXmlError as error:
        where = f"第 {error.line} 行第 {error.column} 列"
        raise DocumentError(
            "malformed_xml", "", f"XML 格式错误, {where}", f"not well-formed XML, {error}"
        ) from error


def take(body: bytes) -> Heading:
    """Check a document's header and structure; return what routing needs. Raises `DocumentError`."""
    root = parse_document(body)
    heading = read_heading(root)
    check_structure(root)
    return heading
