"""Good documents, and what is done to them to make them bad."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import cache

from lxml import etree

from bus.sources.xml_parser import parse_xml
from simulators.cda.samples import document

DAY = date(2026, 11, 20)
SEED = 20261120
NS = {"v3": "urn:hl7-org:v3", "xsi": "http://www.w3.org/2001/XMLSchema-instance"}

Root = etree._Element
Change = Callable[[Root], None]


@cache
def body(kind: str, place: int = 1, version: int = 1) -> bytes:
    """Return a document of a kind."""
    return document(SEED, DAY, kind, place, version).body


def root(kind: str, place: int = 1, version: int = 1) -> Root:
    """Return its root, anew."""
    return parse_xml(body(kind, place, version))


def found(root: Root, path: str) -> list[Root]:
    """Return the elements at an XPath; there must be some."""
    elements = root.xpath(path, namespaces=NS)
    assert isinstance(elements, list)
    assert elements, path
    return [element for element in elements if etree.iselement(element)]


def drop(path: str) -> Change:
    """Take elements out."""

    def change(root: Root) -> None:
        for element in found(root, path):
            parent = element.getparent()
            assert parent is not None
            parent.remove(element)

    return change


def say(path: str, name: str, value: str) -> Change:
    """Set an attribute."""

    def change(root: Root) -> None:
        for element in found(root, path):
            element.set(name, value)

    return change


def unsay(path: str, *names: str) -> Change:
    """Take attributes out."""

    def change(root: Root) -> None:
        for element in found(root, path):
            for name in names:
                if name in element.attrib:
                    del element.attrib[name]

    return change


def blank(path: str) -> Change:
    """Leave nothing but a blank in an element."""

    def change(root: Root) -> None:
        for element in found(root, path):
            element.text = " "

    return change
