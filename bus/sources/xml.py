"""XML documents as a source. Paths are element names joined by `/`, below the root, whatever their namespace.

`@name` at the end is an attribute, `.` the element itself, `^/` at the beginning the source that `each`
was asked of. Of a clinical document `#document` is the whole of it as it was sent, in base64.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from lxml import etree

from bus.sources.source import Envelope, PathError, UnreadableError
from bus.sources.xml_parser import ForbiddenXmlError, MalformedXmlError, parse_xml

HOLDER = "^/"
DOCUMENT = "#document"


class XmlSource:
    """One element and what lies below it."""

    __slots__ = ("_document", "_element", "_envelope", "_holder")

    def __init__(
        self,
        element: etree._Element,
        envelope: Envelope,
        holder: XmlSource | None = None,
        document: bytes | None = None,
    ) -> None:
        self._element = element
        self._envelope = envelope
        self._holder = holder
        self._document = document

    def get(self, path: str) -> str | None:
        """Return the text of the first element at `path`, or its attribute."""
        if not path:
            raise PathError("an empty path: write element names joined by /")
        if path.startswith(HOLDER):
            return self._held_by().get(path.removeprefix(HOLDER))
        if path == DOCUMENT:
            return None if self._document is None else b64encode(self._document).decode()
        steps, attribute = _split(path)
        found = _follow(self._element, steps)
        if not found:
            return None
        text = found[0].get(attribute) if attribute else _text(found[0])
        return text.strip() or None if text else None

    def each(self, path: str) -> Sequence[XmlSource]:
        """Return one source for each element at `path`."""
        steps, attribute = _split(path)
        if attribute:
            raise PathError(f"{path!r} names an attribute, which does not repeat", path)
        return [XmlSource(found, self._envelope, self) for found in _follow(self._element, steps)]

    def transformed(self, stylesheet: etree.XSLT) -> XmlSource | None:
        """Return what a stylesheet makes of this; None when it makes no element. Raises
        `etree.XSLTApplyError`.
        """
        root: etree._Element | None = stylesheet(self._element).getroot()
        return None if root is None else XmlSource(root, self._envelope, document=self._document)

    @property
    def element(self) -> etree._Element:
        """The element itself, for what reads it whole."""
        return self._element

    def _held_by(self) -> XmlSource:
        if self._holder is None:
            raise PathError(f"{HOLDER} stands outside each: there is nothing around the message", HOLDER)
        return self._holder

    def cel(self) -> Mapping[str, Any]:
        """Return the variables of `msg`, and `root`, the name of the element."""
        return {**self._envelope.cel(), "root": etree.QName(self._element).localname}


def _split(path: str) -> tuple[list[str], str | None]:
    steps = [step for step in path.split("/") if step != "."]
    if steps and steps[-1].startswith("@"):
        return steps[:-1], steps[-1][1:]
    return steps, None


def _follow(element: etree._Element, steps: list[str]) -> list[etree._Element]:
    found = [element]
    for step in steps:
        found = [child for parent in found for child in parent.iterchildren(f"{{*}}{step}")]
    return found


def _text(element: etree._Element) -> str | None:
    return element.text if len(element) == 0 else "".join(str(text) for text in element.itertext())


def parse_xml_source(body: bytes, envelope: Envelope) -> XmlSource:
    """Return the source of an XML body; raises `UnreadableError`."""
    try:
        return XmlSource(parse_xml(body), envelope)
    except ForbiddenXmlError as error:
        raise UnreadableError(error.code, str(error)) from error
    except MalformedXmlError as error:
        raise UnreadableError("malformed_xml", f"not well-formed XML, {error}") from error
