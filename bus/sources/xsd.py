"""An XML element against an XSD: each mistake, its place and what to do, without the wrong value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lxml import etree

_TYPE = re.compile(r"type '(?:\{[^}]*\})?([^']+)'\.$")
_FACET = re.compile(r"^Element '[^']*'(?:, attribute '[^']*')?: \[facet '([^']+)'\]")
_ATTRIBUTE = re.compile(r", attribute '(?:\{[^}]*\})?([^']+)'")
_EXPECTED = re.compile(r"Expected is (?:one of )?\( (.+?) \)\.$")
_NAMESPACE = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One violation of a schema. Its texts hold nothing of the content."""

    path: str
    """Element names joined by `/`, an attribute with `@`."""
    chinese: str
    english: str


def mistakes(
    element: etree._Element, schema: etree.XMLSchema, *, numbered: bool = False
) -> Iterator[Mistake]:
    """Give every violation in document order; `numbered`: repeated elements carry their number in paths,
    and wrong attributes are named.
    """
    if schema.validate(element):
        return
    log: Any = schema.error_log
    for entry in log:
        where = place(element, entry.path, numbered=numbered)
        attribute = _ATTRIBUTE.search(entry.message) if numbered else None
        yield _said(entry.message, f"{where}/@{attribute.group(1)}" if attribute else where)


def place(top: etree._Element, xpath: str | None, *, numbered: bool = False) -> str:
    """Turn libxml2's path (`/*/*[2]`, where names have a namespace) into element names joined by `/`."""
    found = etree.ElementTree(top).xpath(xpath) if xpath else None
    first = found[0] if isinstance(found, list) and found else None
    element = first if etree.iselement(first) else top
    names = [_name(element, numbered=numbered)]
    while element is not top and (parent := element.getparent()) is not None:
        element = parent
        names.append(_name(element, numbered=numbered))
    return "/".join(reversed(names))


def _name(element: etree._Element, *, numbered: bool) -> str:
    name = etree.QName(element).localname
    parent = element.getparent()
    if not numbered or parent is None:
        return name
    same = [child for child in parent if child.tag == element.tag]
    return name if len(same) == 1 else f"{name}[{same.index(element) + 1}]"


def _said(message: str, path: str) -> Mistake:
    if expected := _EXPECTED.search(message):
        return _misplaced(_NAMESPACE.sub("", expected.group(1)), "Missing child" in message, path)
    if facet := _FACET.search(message):
        limit = facet.group(1)
        return Mistake(path, f"值不合限制 {limit}", f"the value breaks the limit {limit}")
    if type_ := _TYPE.search(message):
        name = type_.group(1)
        return Mistake(path, f"值不合类型 {name}", f"the value is not of type {name}")
    english = "this element, attribute or text is not expected here"
    return Mistake(path, "此处不应出现该元素、属性或文字", english)


def _misplaced(names: str, missing: bool, path: str) -> Mistake:
    if missing:
        return Mistake(path, f"缺少下级元素, 应有 {names}", f"a child element is missing; expected {names}")
    english = f"this element is not expected here; expected {names}"
    return Mistake(path, f"此处不应出现该元素, 应为 {names}", english)
