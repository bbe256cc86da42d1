"""RegistryResponse and AdhocQueryResponse (ITI TF-3 §4.2.4): what a registry or repository answers."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from bus.ihe.ebrim import names
from bus.ihe.ebrim.names import NSMAP, QUERY, RS
from bus.ihe.ebrim.writing import references, registry_objects
from consortium.documents.asking import Return
from consortium.documents.errors import RegistryError, Severity
from consortium.documents.model import Found


def registry_response(errors: Iterable[RegistryError] = (), *, status: str | None = None) -> etree._Element:
    """Write a RegistryResponse: a failure when there is an error; warnings alone are a success."""
    response = etree.Element(etree.QName(RS, "RegistryResponse"), nsmap=NSMAP)
    _fill(response, tuple(errors), status)
    return response


def query_response(found: Found, returns: Return, errors: Iterable[RegistryError] = ()) -> etree._Element:
    """Write an AdhocQueryResponse, with whole objects or references."""
    response = etree.Element(etree.QName(QUERY, "AdhocQueryResponse"), nsmap=NSMAP)
    _fill(response, tuple(errors), None)
    whole = returns is Return.LEAF_CLASS
    response.append(registry_objects(found) if whole else references(found.ids()))
    return response


def _fill(response: etree._Element, errors: tuple[RegistryError, ...], status: str | None) -> None:
    failed = any(each.severity is Severity.ERROR for each in errors)
    response.set("status", status or (names.FAILURE if failed else names.SUCCESS))
    if errors:
        response.append(error_list(errors))


def error_list(errors: tuple[RegistryError, ...]) -> etree._Element:
    """Write a RegistryErrorList."""
    listed = etree.Element(etree.QName(RS, "RegistryErrorList"), nsmap=NSMAP)
    failed = any(each.severity is Severity.ERROR for each in errors)
    listed.set("highestSeverity", Severity.ERROR if failed else Severity.WARNING)
    for each in errors:
        error = etree.SubElement(listed, etree.QName(RS, "RegistryError"))
        error.set("errorCode", each.code)
        error.set("codeContext", each.context)
        error.set("location", each.location)
        error.set("severity", each.severity)
    return listed
