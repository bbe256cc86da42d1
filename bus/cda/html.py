"""A document as a page for people: what `html.xsl` makes of it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from lxml import etree

from bus.cda.heading import ROOT
from bus.cda.intake import parse_document
from bus.cda.problem import DocumentError
from bus.rules.stylesheet import read_stylesheet

STYLESHEET = Path(__file__).parent / "html.xsl"
CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; sandbox"
"""What the page may do in a browser: show its text and its own style."""


@lru_cache(maxsize=1)
def _stylesheet() -> etree.XSLT:
    return read_stylesheet(STYLESHEET)


def render(document: bytes) -> bytes:
    """Return the page in UTF-8; raises `DocumentError` for what is no clinical document."""
    root = parse_document(document)
    if root.tag != ROOT:
        raise DocumentError("not_a_document", "", "不是共享文档 (CDA)", "this is no clinical document (CDA)")
    return page(root)


def page(root: etree._Element) -> bytes:
    """Return the page of a clinical document that was parsed, in UTF-8."""
    return b"<!DOCTYPE html>\n" + bytes(_stylesheet()(root))
