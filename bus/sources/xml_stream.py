"""Elements of an XML document that is too large to be held, one after the other, by the hardened parser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from lxml import etree

from bus.sources.xml_parser import (
    HARDENED,
    ForbiddenXmlError,
    MalformedXmlError,
    doctype,
    without_content,
)

_BLOCK = 64 * 1024
_DOCTYPE = b"<!DOCTYPE"


class _Cutter:
    """Feeds a pull parser, and keeps of the tree only the element that is being read."""

    def __init__(self, name: str, charset: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._parser = etree.XMLPullParser(events=("start", "end"), encoding=charset or None, **HARDENED)
        self._inside = 0
        self._line = 0
        self._checked = False
        self._held = 0
        """Bytes fed since the last element was given: what the tree holds."""
        self._tail = b""

    def feed(self, block: bytes) -> Iterator[tuple[int, bytes]]:
        """Give what this block completes."""
        self._refuse_doctype(block)
        self._held += len(block)
        self._parser.feed(block)
        yield from self._events()
        if self._held > self._limit + _BLOCK:
            raise ForbiddenXmlError("xml_size", f"one record is larger than {self._limit} bytes")

    def close(self) -> Iterator[tuple[int, bytes]]:
        """Give what the end completes."""
        self._parser.close()
        yield from self._events()

    def _events(self) -> Iterator[tuple[int, bytes]]:
        for event, found in self._parser.read_events():
            element = cast("Any", found)  # an element, for the events that are asked for
            if event == "start":
                self._start(element)
            elif (whole := self._end(element)) is not None:
                yield self._line, whole

    def _start(self, element: etree._Element) -> None:
        if not self._checked:
            # Whatever the encoding, no declaration of a document type gets past its root.
            if element.getroottree().docinfo.internalDTD is not None:
                raise doctype()
            self._checked = True
        if self._inside or self._named(element):
            self._inside += 1
        if self._inside == 1:
            self._line = getattr(element, "sourceline", None) or 0

    def _end(self, element: etree._Element) -> bytes | None:
        whole = None
        if self._inside:
            self._inside -= 1
            if self._inside:
                return None
            whole = etree.tostring(element, encoding="utf-8", with_tail=False)
            self._held = 0
        element.clear()
        parent = element.getparent()
        while parent is not None and element.getprevious() is not None:
            del parent[0]
        return whole

    def _named(self, element: etree._Element) -> bool:
        return etree.QName(element).localname == self._name

    def _refuse_doctype(self, block: bytes) -> None:
        if self._checked:
            return
        plain = self._tail + block.replace(b"\0", b"")
        if _DOCTYPE in plain:
            raise doctype()
        self._tail = plain[-len(_DOCTYPE) :]


def stream_elements(
    stream: BinaryIO, name: str, *, limit: int, charset: str = ""
) -> Iterator[tuple[int, bytes]]:
    """Give (line, UTF-8 bytes) of each element of that local name, with the namespaces that it needs.

    `limit`: bytes of one element. `charset` goes before the document's own declaration. Raises
    `ForbiddenXmlError` or `MalformedXmlError`, after the elements that stand before the mistake.
    """
    cutter = _Cutter(name, charset, limit)
    try:
        while block := stream.read(_BLOCK):
            yield from cutter.feed(block)
        yield from cutter.close()
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise MalformedXmlError(line or 0, column or 0, without_content(error)) from None
