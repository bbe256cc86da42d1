"""The text of a document's content, by what it is; what has none says why."""

from __future__ import annotations

import re
from dataclasses import dataclass

import structlog
from lxml import etree

from bus.cda.heading import ROOT
from bus.cda.html import page
from bus.cda.intake import parse_document
from bus.cda.problem import DocumentError
from bus.fulltext import html, pdf

log = structlog.get_logger("bus.fulltext")

MOST = 500_000
"""Characters of one document that are indexed."""
_CHARSET = re.compile(rb"""charset\s*=\s*["']?([A-Za-z0-9_.:-]+)""", re.IGNORECASE)
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_PDF = b"%PDF-"
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Extracted:
    """What could be read of a document."""

    text: str
    problem: str | None = None
    """Why there is no text, or not all of it: a code, and what it is about; holds nothing of the content."""


class _UnreadableError(ValueError):
    """Its text is the problem's code."""


def extract(content: bytes, mime_type: str) -> Extracted:
    """Return a document's text. Never fails: what cannot be read has the reason as its problem."""
    kind, _, parameters = mime_type.lower().partition(";")
    try:
        text, whole = _read(content, kind.strip(), parameters)
    except _UnreadableError as error:
        return Extracted("", str(error))
    except DocumentError as error:
        return Extracted("", f"unreadable: {error.code}")
    except Exception as error:  # noqa: BLE001 - a library on a file from outside may raise anything; storing goes on
        log.warning("document_not_read", mime_type=kind.strip(), error=type(error).__name__)
        return Extracted("", f"unreadable: {type(error).__name__}")
    text = _CONTROLS.sub(" ", text.encode("utf-8", "replace").decode())
    if not text.strip():
        return Extracted("", "empty: there is no text in it; a scanned picture has none")
    if len(text) > MOST or not whole:
        return Extracted(text[:MOST], "cut: it is longer than what is indexed")
    return Extracted(text)


def _read(content: bytes, kind: str, parameters: str) -> tuple[str, bool]:
    if content.startswith(_PDF) or kind == "application/pdf":
        if len(content) > pdf.LARGEST:
            raise _UnreadableError("too_large: a PDF of this size is not read")
        return pdf.text_of(content, MOST)
    if kind in ("text/html", "application/xhtml+xml"):
        return html.text_of(_decoded(content, parameters)), True
    if kind in ("text/xml", "application/xml") or kind.endswith("+xml"):
        return _of_xml(content), True
    if kind.startswith("text/") and kind != "text/rtf":
        return _decoded(content, parameters), True
    raise _UnreadableError(f"no_text: {kind or 'of no known kind'} has no text that can be read")


def _of_xml(content: bytes) -> str:
    """Return what the page of a clinical document shows; of other XML the text of its elements."""
    root = parse_document(content)
    if root.tag == ROOT:
        return html.text_of(page(root).decode())
    return "\n".join(filter(None, (" ".join(str(each).split()) for each in _texts(root))))


def _texts(root: etree._Element) -> list[str]:
    return [text for element in root.iter() for text in (element.text, element.tail) if text]


def _decoded(content: bytes, parameters: str) -> str:
    """Decode by what the type or the content says, else as UTF-8, else as GB 18030."""
    for bom, codec in _BOMS:
        if content.startswith(bom):
            return content[len(bom) :].decode(codec, "replace")
    said = _CHARSET.search(parameters.encode()) or _CHARSET.search(content[:1024])
    for name in ([said[1].decode()] if said else []) + ["utf-8", "gb18030"]:
        try:
            return content.decode("gb18030" if name.lower() in ("gb2312", "gbk") else name)
        except (UnicodeDecodeError, LookupError):
            continue
    raise _UnreadableError("charset: neither UTF-8 nor GB 18030")
