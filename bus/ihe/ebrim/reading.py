"""Reading registry objects. Every mistake is noted with its object and attribute; reading goes on."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from lxml import etree

from bus.ihe.ebrim import names
from bus.ihe.ebrim.names import RIM, Coding, Shape, Text
from consortium.documents.errors import ErrorCode, RefusedError, RegistryError
from consortium.documents.hl7types import patient_id
from consortium.documents.model import (
    Association,
    AssociationType,
    Author,
    Availability,
    Code,
    DocumentEntry,
    Folder,
    MemberKind,
    ObjectType,
    PatientId,
    Slot,
    SubmissionSet,
)

NOBODY = PatientId("", "")
NO_CODE = Code("", "")


class Problems:
    """What was found wrong in a message so far."""

    def __init__(self) -> None:
        self._errors: list[RegistryError] = []

    def add(
        self, context: str, location: str = "", code: ErrorCode = ErrorCode.REGISTRY_METADATA_ERROR
    ) -> None:
        """Note a mistake."""
        self._errors.append(RegistryError(code, context, location))

    def refuse(self) -> None:
        """Raise RefusedError when there was any mistake."""
        if self._errors:
            raise RefusedError(*self._errors)


class Record:
    """One registry object as it was sent: what the readers of each kind take from it."""

    def __init__(self, element: etree._Element, loose: list[etree._Element], problems: Problems) -> None:
        """`loose`: classifications that stand outside of it and name it."""
        self.element = element
        self.id = element.get("id", "")
        self._problems = problems
        self._slots = self._read_slots(element)
        self._classifications: dict[str, list[etree._Element]] = defaultdict(list)
        for each in [*element.iterchildren(f"{{{RIM}}}Classification"), *loose]:
            self._classifications[each.get("classificationScheme", "")].append(each)

    def wrong(self, context: str, attribute: str = "") -> None:
        """Note a mistake of this object."""
        self._problems.add(
            f"{self.id or 'an object without id'}: {context}", f"{self.id}.{attribute}".rstrip(".")
        )

    def nodes(self) -> set[str]:
        """Return the classification nodes: what kind of package it is."""
        found = (each.get("classificationNode") for each in self._classifications.get("", ()))
        return {node for node in found if node}

    def text(self, name: str) -> str | None:
        """Return Name or Description."""
        found = self.element.find(f"{{{RIM}}}{name}/{{{RIM}}}LocalizedString")
        return None if found is None else found.get("value")

    def fields(self, shape: Shape) -> dict[str, Any]:
        """Return the attributes of a document, set or folder."""
        found: dict[str, Any] = {
            "entry_uuid": self._id(),
            "unique_id": self._external(shape.unique_id, f"{shape.name}.uniqueId"),
            "patient_id": self._patient(
                self._external(shape.patient_id, f"{shape.name}.patientId"), "patientId"
            ),
            "availability": self.availability(),
            "title": self.text("Name"),
            "comments": self.text("Description"),
            "home_community_id": self.element.get("home"),
            "limited_metadata": bool(self._classifications.get(shape.limited)),
        }
        found |= {each.field: self._slot(each) for each in shape.texts}
        found |= {each.field: self._codes(each) for each in shape.codings}
        if shape.author is not None:
            found["authors"] = tuple(
                self._author(each) for each in self._classifications.get(shape.author, ())
            )
        if shape.source_id is not None:
            found["source_id"] = self._external(shape.source_id, f"{shape.name}.sourceId")
        found["slots"] = self.other_slots({each.slot for each in shape.texts})
        return found

    def other_slots(self, known: set[str]) -> tuple[Slot, ...]:
        """Return the slots that are none of these."""
        return tuple(slot for name, slot in self._slots.items() if name not in known)

    def values(self, slot: str) -> tuple[str, ...]:
        """Return the values of a slot; () where it is not there."""
        found = self._slots.get(slot)
        return found.values if found else ()

    def availability(self) -> Availability:
        """Return the status; what is submitted becomes approved whatever it says."""
        stated = self.element.get("status")
        return Availability.DEPRECATED if stated == Availability.DEPRECATED else Availability.APPROVED

    def documentation(self) -> Code | None:
        """Return the associationDocumentation."""
        found = self._classifications.get(names.DOCUMENTATION)
        return self._code(found[0], "associationDocumentation") if found else None

    def version(self) -> int:
        """Return the version, 1 where none is stated."""
        info = self.element.find(f"{{{RIM}}}VersionInfo")
        stated = "1" if info is None else info.get("versionName", "1")
        if not stated.isdecimal():
            self.wrong(f"VersionInfo versionName is no number: {stated}", "version")
            return 1
        return int(stated)

    def source_patient(self, text: str | None) -> PatientId | None:
        """Read a sourcePatientId."""
        return None if text is None else self._patient(text, "sourcePatientId")

    def number(self, text: str | None, attribute: str) -> int | None:
        """Read a count of bytes."""
        if text is None:
            return None
        if not (text.isascii() and text.isdecimal()):
            self.wrong(f"{attribute} must be a number of bytes", attribute)
            return None
        return int(text)

    def _id(self) -> str:
        if not self.id:
            self.wrong("every object needs an id", "id")
        return self.id

    def _read_slots(self, element: etree._Element) -> dict[str, Slot]:
        slots: dict[str, Slot] = {}
        for each in element.iterchildren(f"{{{RIM}}}Slot"):
            name = each.get("name", "")
            if name in slots or not name:
                self.wrong(f"the slot {name} is there twice" if name else "a slot has no name", name)
            values = tuple(
                (value.text or "").strip() for value in each.iterfind(f"{{{RIM}}}ValueList/{{{RIM}}}Value")
            )
            slots[name] = Slot(name, values, each.get("slotType"))
        return slots

    def _slot(self, wanted: Text) -> Any:
        values = self.values(wanted.slot)
        if wanted.many:
            return values
        if len(values) > 1:
            self.wrong(f"the slot {wanted.slot} takes one value, {len(values)} were sent", wanted.slot)
        if wanted.slot in self._slots and (not values or not values[0]):
            self.wrong(f"the slot {wanted.slot} is there without a value", wanted.slot)
            return None
        if not values and wanted.required:
            self.wrong(f"the slot {wanted.slot} is missing", wanted.slot)
        return values[0] if values else "" if wanted.required else None

    def _codes(self, coding: Coding) -> Any:
        found = [self._code(each, coding.name) for each in self._classifications.get(coding.scheme, ())]
        if not found and coding.required:
            self.wrong(f"the classification {coding.name} ({coding.scheme}) is missing", coding.name)
        if coding.many:
            return tuple(found)
        if len(found) > 1:
            self.wrong(f"{coding.name} takes one code, {len(found)} were sent", coding.name)
        return found[0] if found else NO_CODE

    def _code(self, element: etree._Element, name: str) -> Code:
        code = element.get("nodeRepresentation", "")
        scheme = self._read_slots(element).get(names.CODING_SCHEME)
        value = scheme.values[0] if scheme and scheme.values else ""
        if not code:
            self.wrong(f"the classification {name} has no nodeRepresentation", name)
        if not value:
            self.wrong(f"the classification {name} has no slot codingScheme", name)
        display = element.find(f"{{{RIM}}}Name/{{{RIM}}}LocalizedString")
        return Code(code, value, None if display is None else display.get("value"))

    def _author(self, element: etree._Element) -> Author:
        slots = self._read_slots(element)
        found = {each.field: slots[each.slot].values for each in names.AUTHOR if each.slot in slots}
        person = found.pop("person", ())
        if len(person) > 1:
            self.wrong("an author takes one authorPerson: send a classification for each", "authorPerson")
        if not person and not found:
            self.wrong("an author names nobody: no person, institution, role or specialty", "author")
        return Author(person=person[0] if person else None, **found)

    def _external(self, scheme: str, name: str) -> str:
        found = [
            each.get("value", "")
            for each in self.element.iterchildren(f"{{{RIM}}}ExternalIdentifier")
            if each.get("identificationScheme") == scheme
        ]
        if len(found) != 1 or not found[0]:
            self.wrong(f"{name} ({scheme}) must be there once, as an ExternalIdentifier with a value", name)
            return ""
        return found[0]

    def _patient(self, text: str, attribute: str) -> PatientId:
        found = patient_id(text)
        if found is None and text:
            self.wrong(
                f"{attribute} must be written number^^^&oid&ISO, with the OID of its domain", attribute
            )
        return found or NOBODY


def document(record: Record) -> DocumentEntry:
    """Read an ExtrinsicObject."""
    found = record.fields(names.DOCUMENT)
    found["size"] = record.number(found["size"], "size")
    found["source_patient_id"] = record.source_patient(found["source_patient_id"])
    kind = record.element.get("objectType", "")
    if kind not in set(ObjectType):
        record.wrong("objectType is neither that of stable nor of on-demand documents", "objectType")
        kind = ObjectType.STABLE
    if not record.element.get("mimeType"):
        record.wrong("mimeType is missing", "mimeType")
    return DocumentEntry(
        **found,
        mime_type=record.element.get("mimeType", ""),
        object_type=ObjectType(kind),
        logical_id=record.element.get("lid"),
        version=record.version(),
    )


def submission_set(record: Record) -> SubmissionSet:
    """Read a RegistryPackage that is classified as a submission set."""
    return SubmissionSet(**record.fields(names.SUBMISSION_SET))


def folder(record: Record) -> Folder:
    """Read a RegistryPackage that is classified as a folder."""
    found = record.fields(names.FOLDER)
    return Folder(**found, logical_id=record.element.get("lid"), version=record.version())


def association(record: Record) -> Association | None:
    """Read an Association; None, and a mistake noted, when its type is none of the profile's. One without an
    id is known by its ends.
    """
    stated = record.element.get("associationType", "")
    if stated not in set(AssociationType):
        record.wrong(f"the associationType is none of the profile's: {stated}", "associationType")
        return None
    source, target = record.element.get("sourceObject", ""), record.element.get("targetObject", "")
    if not (source and target):
        record.wrong("sourceObject and targetObject must both be there", "sourceObject")
    previous = record.values(names.PREVIOUS_VERSION)
    return Association(
        entry_uuid=record.id or f"{source} {target}",
        type=AssociationType(stated),
        source=source,
        target=target,
        member_kind=_member_kind(record),
        documentation=record.documentation(),
        availability=record.availability(),
        previous_version=previous[0] if previous else None,
        home_community_id=record.element.get("home"),
        slots=record.other_slots({names.SUBMISSION_SET_STATUS, names.PREVIOUS_VERSION}),
    )


def _member_kind(record: Record) -> MemberKind | None:
    values = record.values(names.SUBMISSION_SET_STATUS)
    if not values:
        return None
    if values not in {(kind.value,) for kind in MemberKind}:
        record.wrong("SubmissionSetStatus is Original or Reference", names.SUBMISSION_SET_STATUS)
        return None
    return MemberKind(values[0])


def records(registry_objects: etree._Element, problems: Problems) -> Iterator[Record]:
    """Return each object of a RegistryObjectList with the classifications that name it, and refuse an id that
    two have.
    """
    loose: dict[str, list[etree._Element]] = defaultdict(list)
    for each in registry_objects.iterchildren(f"{{{RIM}}}Classification"):
        loose[each.get("classifiedObject", "")].append(each)
    objects = [
        each
        for each in registry_objects.iterchildren(tag=etree.Element)
        if etree.QName(each).localname in ("ExtrinsicObject", "RegistryPackage", "Association")
    ]
    for id_, count in Counter(each.get("id") for each in objects).items():
        if id_ and count > 1:
            problems.add(f"the id {id_} is that of {count} objects in the message", f"{id_}.id")
    for each in objects:
        yield Record(each, loose.get(each.get("id", ""), []), problems)
