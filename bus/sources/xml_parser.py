"""The one hardened XML parser of the platform. All XML from outside is read through here."""

from __future__ import annotations

import codecs
from typing import Any

from lxml import etree

from consortium.errors import SecurityError

SIZE_LIMIT = 32 * 1024 * 1024
"""Bytes; adapters refuse more before they come here."""
DEPTH_LIMIT = 100


class ForbiddenXmlError(SecurityError):
    """A document type declaration, an entity, a processing instruction or a comment inside a value.

    `code` is xml_doctype, xml_entity, xml_comment, xml_depth or xml_size.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class MalformedXmlError(ValueError):
    """Not well-formed XML. `line` and `column` say where; the text holds nothing of the content."""

    def __init__(self, line: int, column: int, reason: str) -> None:
        super().__init__(f"line {line}, column {column}: {reason}")
        self.line, self.column = line, column


HARDENED: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "dtd_validation": False,
    "attribute_defaults": False,
    "huge_tree": False,
    "remove_comments": False,
    "remove_pis": False,
    "strip_cdata": True,
    "recover": False,
}
"""No entities, network, DTD and huge trees: what every parser of XML from outside is made with."""


def hardened_parser() -> etree.XMLParser:
    """Return a parser for a whole document."""
    return etree.XMLParser(**HARDENED)


def parse_xml(body: bytes, *, size_limit: int = SIZE_LIMIT) -> etree._Element:
    """Parse a document from outside and return its root.

    Comments and processing instructions between elements are taken out; one inside a value would split its
    text and
    is refused. Raises `ForbiddenXmlError` or `MalformedXmlError`.
    """
    if len(body) > size_limit:
        raise ForbiddenXmlError("xml_size", f"the document is larger than {size_limit} bytes")
    _refuse_doctype(body)
    try:
        root = etree.fromstring(body, hardened_parser())
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise MalformedXmlError(line or 0, column or 0, without_content(error)) from None
    _clean(root)
    return root


def codec_of(charset: str) -> str:
    """Return the Python codec of a charset by its name in XML; GB 18030 for what it contains. Raises
    `LookupError`.
    """
    found = codecs.lookup(charset).name
    return "gb18030" if found in ("gbk", "gb2312") else "utf-8" if found == "ascii" else found


def _refuse_doctype(body: bytes) -> None:
    # libxml2 expands internal entities while it parses: refused before it begins, in any encoding that has
    # NULs.
    if b"<!DOCTYPE" in body.replace(b"\0", b""):
        raise doctype()


def doctype() -> ForbiddenXmlError:
    """Return what a DOCTYPE is refused with."""
    return ForbiddenXmlError("xml_doctype", "a DOCTYPE is not accepted; send the document without it")


def without_content(error: etree.XMLSyntaxError) -> str:
    """Return the name of the rule that was broken: libxml2's own text may quote the document."""
    names = (name for name, code in vars(etree.ErrorTypes).items() if code == getattr(error, "code", None))
    return next(names, "not well-formed").removeprefix("ERR_").lower().replace("_", " ")


def _clean(root: etree._Element) -> None:
    for node in list(root.iter(etree.Entity, etree.Comment, etree.ProcessingInstruction)):
        if node.tag is etree.Entity:
            raise ForbiddenXmlError(
                "xml_entity", "an entity reference is not accepted; send the characters themselves"
            )
        parent = node.getparent()
        if parent is None:
            continue
        if _splits_text(parent, node):
            raise ForbiddenXmlError(
                "xml_comment", "a comment inside a value is not accepted; send the value whole"
            )
        _take_out(parent, node)
    _refuse_depth(root)


def _splits_text(parent: etree._Element, node: etree._Element) -> bool:
    elements = any(isinstance(child.tag, str) for child in parent)
    before = node.getprevious()
    left = parent.text if before is None else before.tail
    text = (left or "").strip() or (node.tail or "").strip()
    return bool(text) or (not elements and bool((parent.text or "").strip()))


def _take_out(parent: etree._Element, node: etree._Element) -> None:
    before = node.getprevious()
    if node.tail:
        if before is None:
            parent.text = (parent.text or "") + node.tail
        else:
            before.tail = (before.tail or "") + node.tail
    node.tail = None
    parent.remove(node)


def _refuse_depth(root: etree._Element) -> None:
    level = [root]
    for _ in range(DEPTH_LIMIT):
        level = [child for element in level for child in element]
        if not level:
            return
    raise ForbiddenXmlError("xml_depth", f"elements lie deeper than {DEPTH_LIMIT} levels")
