"""The text of a PDF, page by page, within bounds: a file from outside may be made to keep a reader busy."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from io import BytesIO

from pypdf import PdfReader

PAGES = 300
SECONDS = 20.0
"""Time for one file; what was read until then is kept."""
LARGEST = 32 * 1024 * 1024
"""Bytes."""

_CHINESE = "\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff00-\uffef"
_WRAPPED = re.compile(f"(?<=[{_CHINESE}])[ \t]*\n[ \t]*(?=[{_CHINESE}])")
"""A line's end within Chinese text: PDF knows lines, not sentences."""

# Its warnings quote the file.
logging.getLogger("pypdf").setLevel(logging.CRITICAL)


def text_of(content: bytes, most: int) -> tuple[str, bool]:
    """Return the text, at most so many characters, and whether it is all of it.

    Raises whatever the library raises for a file that is broken.
    """
    reader = PdfReader(BytesIO(content), strict=False)
    pages: list[str] = []
    whole = len(reader.pages) <= PAGES
    for page in _within(reader, time.monotonic() + SECONDS):
        if page is None or sum(map(len, pages)) >= most:
            whole = False
            break
        pages.append(page)
    return _WRAPPED.sub("", "\n\n".join(pages))[:most], whole


def _within(reader: PdfReader, until: float) -> Iterator[str | None]:
    """Give the pages' texts; None when the time is over."""
    for number in range(min(len(reader.pages), PAGES)):
        if time.monotonic() > until:
            yield None
            return
        yield reader.pages[number].extract_text()
