"""A request against its XSD: the first mistake, its place and what to do, without the wrong value."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from adapters.soap.faults import Fault, FaultError

_TYPE = re.compile(r"type '(?:\{[^}]*\})?([^']+)'\.$")
_FACET = re.compile(r"^Element '[^']*': \[facet '([^']+)'\]")
_EXPECTED = re.compile(r"Expected is (?:one of )?\( (.+?) \)\.$")
_NAMESPACE = re.compile(r"\{[^}]*\}")


def validate(payload: etree._Element, schema: etree.XMLSchema) -> None:
    """Raise `FaultError` with the first violation."""
    if schema.validate(payload):
        return
    violations: Any = schema.error_log
    first = violations[0]
    raise FaultError(_fault(first.message, place(payload, first.path)))


def place(payload: etree._Element, xpath: str | None) -> str:
    """Turn libxml2's path (`/*/*[2]`, where names have a namespace) into element names joined by `/`."""
    found = etree.ElementTree(payload).xpath(xpath) if xpath else None
    first = found[0] if isinstance(found, list) and found else None
    element = first if etree.iselement(first) else payload
    names = [etree.QName(element).localname]
    while element is not payload and (parent := element.getparent()) is not None:
        element = parent
        names.append(etree.QName(element).localname)
    return "/".join(reversed(names))


def _fault(message: str, path: str) -> Fault:
    if expected := _EXPECTED.search(message):
        return _misplaced(_NAMESPACE.sub("", expected.group(1)), "Missing child" in message, path)
    if facet := _FACET.search(message):
        limit = facet.group(1)
        return Fault("schema", f"值不合限制 {limit}", f"the value breaks the limit {limit}", path)
    if type_ := _TYPE.search(message):
        name = type_.group(1)
        return Fault("schema", f"值不合类型 {name}", f"the value is not of type {name}", path)
    english = "this element, attribute or text is not expected here"
    return Fault("schema", "此处不应出现该元素、属性或文字", english, path)


def _misplaced(names: str, missing: bool, path: str) -> Fault:
    if missing:
        english = f"a child element is missing; expected {names}"
        return Fault("schema", f"缺少下级元素, 应有 {names}", english, path)
    english = f"this element is not expected here; expected {names}"
    return Fault("schema", f"此处不应出现该元素, 应为 {names}", english, path)
