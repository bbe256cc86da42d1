"""AdhocQueryRequest (ITI-18): a stored query with its parameters (ITI TF-2 §3.18.4.1.2.3.5)."""

from __future__ import annotations

import re
from collections import defaultdict

from lxml import etree

from bus.ihe.ebrim.names import NSMAP, QUERY, RIM
from consortium.documents.asking import Return, StoredQuery
from consortium.documents.errors import ErrorCode, refusal

_ITEM = r"(?:'(?:[^']|'')*'|[^'(),\s]+)"
_ONE = re.compile(rf"\s*({_ITEM})\s*")
_LIST = re.compile(rf"\s*\(\s*{_ITEM}(?:\s*,\s*{_ITEM})*\s*\)\s*")
_ITEMS = re.compile(_ITEM)


def read(request: etree._Element) -> StoredQuery:
    """Read an AdhocQueryRequest.

    Raises:
        RefusedError: no such request, or a value that is not written as the profile says.
    """
    asked = request.find(f"{{{RIM}}}AdhocQuery")
    if etree.QName(request) != etree.QName(QUERY, "AdhocQueryRequest") or asked is None:
        raise refusal(
            ErrorCode.REGISTRY_ERROR, "the body must be a query:AdhocQueryRequest with a rim:AdhocQuery"
        )
    parameters: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for slot in asked.iterchildren(f"{{{RIM}}}Slot"):
        name = slot.get("name", "")
        texts = [value.text or "" for value in slot.iterfind(f"{{{RIM}}}ValueList/{{{RIM}}}Value")]
        parameters[name].append(tuple(value for text in texts for value in _values(name, text)))
    kept = {name: tuple(slots) for name, slots in parameters.items()}
    return StoredQuery(asked.get("id", ""), kept, _returns(request))


def _returns(request: etree._Element) -> Return:
    option = request.find(f"{{{QUERY}}}ResponseOption")
    stated = "" if option is None else option.get("returnType", "")
    if stated not in set(Return):
        raise refusal(
            ErrorCode.REGISTRY_ERROR, "ResponseOption must ask for returnType LeafClass or ObjectRef"
        )
    return Return(stated)


def _values(name: str, text: str) -> list[str]:
    if _ONE.fullmatch(text) or _LIST.fullmatch(text):
        return [_unquoted(item) for item in _ITEMS.findall(text)]
    raise refusal(
        ErrorCode.REGISTRY_ERROR,
        f"{name}: write a text in single quotes ('' for a quote in it), a number without, a list ('a','b')",
        name,
    )


def _unquoted(item: str) -> str:
    return item[1:-1].replace("''", "'") if item.startswith("'") else item


def write(query: StoredQuery) -> etree._Element:
    """Write an AdhocQueryRequest; every value is quoted but what is a number."""
    request = etree.Element(etree.QName(QUERY, "AdhocQueryRequest"), nsmap=NSMAP)
    option = etree.SubElement(request, etree.QName(QUERY, "ResponseOption"))
    option.set("returnComposedObjects", "true")
    option.set("returnType", query.returns)
    asked = etree.SubElement(request, etree.QName(RIM, "AdhocQuery"), attrib={"id": query.id})
    for name, slots in query.parameters.items():
        for values in slots:
            slot = etree.SubElement(asked, etree.QName(RIM, "Slot"), attrib={"name": name})
            listed = etree.SubElement(slot, etree.QName(RIM, "ValueList"))
            etree.SubElement(listed, etree.QName(RIM, "Value")).text = _written(values)
    return request


def _written(values: tuple[str, ...]) -> str:
    quoted = ["'" + value.replace("'", "''") + "'" for value in values]
    return quoted[0] if len(quoted) == 1 else f"({','.join(quoted)})"
