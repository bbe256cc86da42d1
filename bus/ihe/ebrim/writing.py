"""Writing registry objects."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from lxml import etree

from bus.ihe.ebrim import names
from bus.ihe.ebrim.names import NSMAP, OBJECT_TYPE, RIM, Shape
from consortium.documents.model import (
    Association,
    Author,
    Code,
    DocumentEntry,
    Folder,
    Found,
    RegistryObject,
    Slot,
    SubmissionSet,
)


def registry_objects(found: Found) -> etree._Element:
    """Return a RegistryObjectList with the whole objects."""
    listed = _list()
    listed.extend(document(each) for each in found.documents)
    listed.extend(_package(each, names.SUBMISSION_SET, names.SET_NODE) for each in found.submission_sets)
    listed.extend(_package(each, names.FOLDER, names.FOLDER_NODE) for each in found.folders)
    listed.extend(association(each) for each in found.associations)
    return listed


def references(ids: Iterable[str]) -> etree._Element:
    """Return a RegistryObjectList with ObjectRefs."""
    listed = _list()
    for id_ in ids:
        _child(listed, "ObjectRef", id=id_)
    return listed


def document(entry: DocumentEntry) -> etree._Element:
    """Write a DocumentEntry."""
    element = etree.Element(etree.QName(RIM, "ExtrinsicObject"), nsmap=NSMAP)
    _set(element, id=entry.entry_uuid, lid=entry.logical_id, home=entry.home_community_id)
    _set(element, objectType=entry.object_type, status=entry.availability, mimeType=entry.mime_type)
    _describe(element, entry, names.DOCUMENT, entry.version)
    return element


def association(each: Association) -> etree._Element:
    """Write an Association."""
    element = etree.Element(etree.QName(RIM, "Association"), nsmap=NSMAP)
    _set(element, id=each.entry_uuid, home=each.home_community_id)
    _set(element, objectType=f"{OBJECT_TYPE}Association", status=each.availability, associationType=each.type)
    _set(element, sourceObject=each.source, targetObject=each.target)
    if each.member_kind:
        _slot(element, names.SUBMISSION_SET_STATUS, (each.member_kind,))
    if each.previous_version:
        _slot(element, names.PREVIOUS_VERSION, (each.previous_version,))
    _extra(element, each.slots)
    if each.documentation:
        _classify(element, each.entry_uuid, names.DOCUMENTATION, each.documentation)
    return element


def _package(each: SubmissionSet | Folder, shape: Shape, node: str) -> etree._Element:
    element = etree.Element(etree.QName(RIM, "RegistryPackage"), nsmap=NSMAP)
    _set(element, id=each.entry_uuid, lid=each.logical_id if isinstance(each, Folder) else None)
    _set(
        element,
        home=each.home_community_id,
        objectType=f"{OBJECT_TYPE}RegistryPackage",
        status=each.availability,
    )
    _describe(element, each, shape, each.version if isinstance(each, Folder) else None, node)
    return element


def _describe(
    element: etree._Element, each: RegistryObject, shape: Shape, version: int | None, node: str | None = None
) -> None:
    """Write what all have, in the order of the schema: slots, texts, version, codes, identifiers."""
    for text in shape.texts:
        _slot(element, text.slot, _values(getattr(each, text.field)))
    _extra(element, each.slots)
    _localized(element, "Name", each.title)
    _localized(element, "Description", each.comments)
    if version is not None:
        _child(element, "VersionInfo", versionName=str(version))
    for coding in shape.codings:
        value = getattr(each, coding.field)
        for code in value if coding.many else (value,):
            _classify(element, each.entry_uuid, coding.scheme, code)
    if shape.author and isinstance(each, DocumentEntry | SubmissionSet):
        for author in each.authors:
            _author(element, each.entry_uuid, shape.author, author)
    if each.limited_metadata:
        _classification(element, each.entry_uuid, classificationScheme=shape.limited, nodeRepresentation="")
    if node:
        _classification(element, each.entry_uuid, classificationNode=node)
    _identifiers(element, each, shape)


def _identifiers(element: etree._Element, each: RegistryObject, shape: Shape) -> None:
    wanted = [
        (shape.unique_id, "uniqueId", each.unique_id),
        (shape.patient_id, "patientId", str(each.patient_id)),
    ]
    if isinstance(each, SubmissionSet) and shape.source_id:
        wanted.append((shape.source_id, "sourceId", each.source_id))
    for scheme, name, value in wanted:
        identifier = _child(element, "ExternalIdentifier", id=_new_id(each.entry_uuid, scheme))
        _set(identifier, registryObject=each.entry_uuid, identificationScheme=scheme, value=value)
        identifier.set("objectType", f"{OBJECT_TYPE}ExternalIdentifier")
        _localized(identifier, "Name", f"{shape.name}.{name}")


def _values(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (str(value),)


def _classify(element: etree._Element, of: str, scheme: str, code: Code) -> None:
    classification = _classification(element, of, classificationScheme=scheme, nodeRepresentation=code.code)
    _slot(classification, names.CODING_SCHEME, (code.scheme,))
    _localized(classification, "Name", code.display)


def _author(element: etree._Element, of: str, scheme: str, author: Author) -> None:
    classification = _classification(element, of, classificationScheme=scheme, nodeRepresentation="")
    for text in names.AUTHOR:
        _slot(classification, text.slot, _values(getattr(author, text.field)))


def _classification(element: etree._Element, of: str, **attributes: str) -> etree._Element:
    place = len(element)
    classification = _child(element, "Classification", id=_new_id(of, f"{attributes} {place}"))
    _set(classification, classifiedObject=of, objectType=f"{OBJECT_TYPE}Classification", **attributes)
    return classification


def _new_id(of: str, what: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{of} {what}").urn


def _extra(element: etree._Element, slots: Iterable[Slot]) -> None:
    for slot in slots:
        _slot(element, slot.name, slot.values, slot.slot_type, even_empty=True)


def _slot(
    element: etree._Element,
    name: str,
    values: tuple[str, ...],
    slot_type: str | None = None,
    *,
    even_empty: bool = False,
) -> None:
    if not values and not even_empty:
        return
    slot = _child(element, "Slot", name=name)
    _set(slot, slotType=slot_type)
    listed = _child(slot, "ValueList")
    for value in values:
        _child(listed, "Value").text = value


def _localized(element: etree._Element, name: str, value: str | None) -> None:
    if value is not None:
        _child(_child(element, name), "LocalizedString", value=value)


def _child(element: etree._Element, name: str, /, **attributes: str) -> etree._Element:
    return etree.SubElement(element, etree.QName(RIM, name), attrib=dict(attributes))


def _set(element: etree._Element, /, **attributes: str | None) -> None:
    for name, value in attributes.items():
        if value is not None:
            element.set(name, value)


def _list() -> etree._Element:
    return etree.Element(etree.QName(RIM, "RegistryObjectList"), nsmap=NSMAP)
