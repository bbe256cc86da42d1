"""A document against the XSD of CDA R2 as WS/T 500 uses it (`schemas/cda.xsd`)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from bus.cda.problem import DocumentError
from bus.sources.xsd import Mistake, mistakes

XSD = Path(__file__).parent / "schemas" / "cda.xsd"
SHOWN = 10
"""Mistakes that a refusal tells of."""


class _Compiled(threading.local):
    schema: etree.XMLSchema | None = None


_compiled = _Compiled()


def structure(root: etree._Element) -> Iterator[Mistake]:
    """Give every violation in document order."""
    if _compiled.schema is None:  # one for each thread: lxml keeps the mistakes it found in the schema object
        _compiled.schema = etree.XMLSchema(etree.parse(XSD))
    return mistakes(root, _compiled.schema, numbered=True)


def check_structure(root: etree._Element) -> None:
    """Raise `DocumentError` with the first mistakes."""
    found = list(structure(root))
    if not found:
        return
    first, rest = found[0], found[1:SHOWN]
    chinese = "; ".join([first.chinese, *(f"{one.path}: {one.chinese}" for one in rest)])
    english = "; ".join([first.english, *(f"{one.path}: {one.english}" for one in rest)])
    raise DocumentError("schema", first.path, chinese, english)
