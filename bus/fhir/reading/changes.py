"""From the resources of one request to what they change: one patient of one campus, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from pydantic import ValidationError

from bus.fhir.extensions import ENCOUNTER, IMPORTANCE, KNOWN, value_of
from bus.fhir.reading import (
    allergy_intolerance,
    charge_item,
    diagnostic_report,
    document_reference,
    medication_request,
    observation,
    procedure,
    service_request,
)
from bus.fhir.reading import appointment as booking
from bus.fhir.reading import encounter as visit
from bus.fhir.reading import patient as person
from bus.fhir.reading.document import check
from bus.fhir.reading.elements import Reader
from bus.fhir.reading.issues import InvalidResourceError, Issue
from bus.fhir.reading.keys import KINDS, Key, Links, key_of
from bus.fhir.shapes import Resource
from bus.fhir.systems import Systems
from consortium.records.model import Change, Encounter, Fact, Kind, Patient, Result

F = TypeVar("F")
PARTS = frozenset({"Observation", "Binary"})
"""Kept as parts of another resource: of a report, of a document."""
BESIDE = frozenset(
    {"MessageHeader", "Practitioner", "PractitionerRole", "Organization", "Location", "Provenance"}
)
"""What may come along and is not kept: names are read from the references."""
_EVERY = frozenset(
    {"resourceType", "id", "meta", "text", "language", "implicitRules", "contained", "extension"}
)
_ELEMENTS = {
    "Patient": person.ELEMENTS,
    "Encounter": visit.ELEMENTS,
    "ServiceRequest": service_request.ELEMENTS,
    "MedicationRequest": medication_request.ELEMENTS,
    "Procedure": procedure.ELEMENTS,
    "AllergyIntolerance": allergy_intolerance.ELEMENTS,
    "DiagnosticReport": diagnostic_report.ELEMENTS,
    "Observation": observation.ELEMENTS,
    "DocumentReference": document_reference.ELEMENTS,
    "Appointment": booking.ELEMENTS,
    "ChargeItem": charge_item.ELEMENTS,
    "Binary": frozenset({"contentType", "data", "securityContext"}),
}
_SECTIONS = {
    "ServiceRequest": (Kind.ORDER, "orders"),
    "MedicationRequest": (Kind.ORDER, "orders"),
    "Procedure": (Kind.PROCEDURE, "procedures"),
    "AllergyIntolerance": (Kind.ALLERGY, "allergies"),
    "DiagnosticReport": (Kind.REPORT, "reports"),
    "DocumentReference": (Kind.DOCUMENT, "documents"),
    "Appointment": (Kind.APPOINTMENT, "appointments"),
    "ChargeItem": (Kind.CHARGE, "charges"),
}
_PLAIN: Mapping[str, Callable[[Reader], Fact | None]] = {
    "ServiceRequest": service_request.service_request,
    "MedicationRequest": medication_request.medication_request,
    "Procedure": procedure.procedure,
    "AllergyIntolerance": allergy_intolerance.allergy_intolerance,
    "Appointment": booking.appointment,
    "ChargeItem": charge_item.charge_item,
}


@dataclass(frozen=True, slots=True)
class Part:
    """One resource of a request."""

    resource: Resource
    path: str
    """FHIRPath of it: `Bundle.entry[0].resource`, or its type."""
    address: str | None = None
    """The entry's fullUrl."""

    @property
    def type(self) -> str:
        """Its resource type."""
        return str(self.resource["resourceType"])


@dataclass(frozen=True, slots=True)
class Read:
    """What a request says."""

    facility: str
    patient: str
    """The campus's number."""
    changes: tuple[Change, ...]
    keys: tuple[Key | None, ...]
    """Of each part; None for what is part of another."""
    notes: tuple[Issue, ...]
    """What is not kept."""

    @property
    def retired(self) -> str | None:
        """The number that a merge gives up."""
        return next((change.merge.retired for change in self.changes if change.merge), None)


def read(parts: Sequence[Part], systems: Systems, known: Mapping[str, Key]) -> Read:
    """Read resources together. `known` are literal references of ours that were looked up.

    Raises InvalidResourceError with everything that is wrong.
    """
    issues = [issue for part in parts for issue in _structural(part)]
    if issues:
        raise InvalidResourceError(issues)
    return _Assembly(parts, systems, known).read()


def _structural(part: Part) -> Iterator[Issue]:
    if part.type not in KINDS and part.type not in PARTS | BESIDE:
        text = f"{part.type} is not kept here; written are {', '.join(sorted({*KINDS, *PARTS}))}"
        yield Issue(part.path, text, "not-supported")
        return
    if "modifierExtension" in part.resource:
        text = "a modifierExtension changes what the resource means, and is not understood"
        yield Issue(f"{part.path}.modifierExtension", text, "extension")
    yield from check(part.resource, part.path)


@dataclass
class _Assembly:
    parts: Sequence[Part]
    systems: Systems
    known: Mapping[str, Key]
    issues: list[Issue] = field(default_factory=list)
    used: set[int] = field(default_factory=set)

    def read(self) -> Read:
        keys = [key_of(part.resource, self.systems) if part.type in KINDS else None for part in self.parts]
        self._named(keys)
        self._once(keys)
        self.links = Links(self.systems, {**self.known, **self._addresses(keys)})
        facility = self._one_campus([key for key in keys if key])
        readers = {
            place: Reader(part.resource, key, self.links, part.path, self.issues)
            for place, (part, key) in enumerate(zip(self.parts, keys, strict=True))
            if key is not None
        }
        number = self.patient = self._one_patient(readers)
        changes = tuple(self._changes(readers, number))
        self._unused()
        self._fail()
        return Read(facility, number, changes, tuple(keys), tuple(self._notes()))

    def _fail(self) -> None:
        if self.issues:
            raise InvalidResourceError(self.issues)

    def _named(self, keys: Sequence[Key | None]) -> None:
        for part, key in zip(self.parts, keys, strict=True):
            if part.type in KINDS and key is None:
                element = "masterIdentifier" if part.type == "DocumentReference" else "identifier"
                kinds = " or ".join(KINDS[part.type])
                text = f"it needs the campus's number ({kinds}) under the campus's identifier system"
                self.issues.append(Issue(f"{part.path}.{element}", text, "required"))
        if not any(keys) and not self.issues:
            self.issues.append(Issue(self.parts[0].path, "there is nothing to write by itself", "required"))
        self._fail()

    def _once(self, keys: Sequence[Key | None]) -> None:
        seen: set[Key] = set()
        for part, key in zip(self.parts, keys, strict=True):
            if key in seen:
                self.issues.append(Issue(part.path, "the same record comes twice", "duplicate"))
            seen |= {key} if key else set()
        self._fail()

    def _addresses(self, keys: Sequence[Key | None]) -> dict[str, Key]:
        found: dict[str, Key] = {}
        for part, key in zip(self.parts, keys, strict=True):
            if key is not None:
                found |= dict.fromkeys(_names(part), key)
        return found

    def _one_campus(self, keys: Sequence[Key]) -> str:
        campuses = {key.facility for key in keys}
        if len(campuses) > 1:
            text = "its resources are of several campuses: send those of each by themselves"
            raise InvalidResourceError([Issue("Bundle", text, "business-rule")])
        return campuses.pop()

    def _one_patient(self, readers: Mapping[int, Reader]) -> str:
        numbers = {}
        for place, reader in readers.items():
            found = self._patient_of(self.parts[place].type, reader)
            if found is not None:
                numbers[found] = reader.path
        self._fail()
        if len(numbers) > 1:
            text = "it is about several patients: send what is of each by itself, or as a batch"
            raise InvalidResourceError([Issue(list(numbers.values())[-1], text, "business-rule")])
        return next(iter(numbers))

    def _patient_of(self, type_: str, reader: Reader) -> str | None:
        if type_ == "Patient":
            return person.survivor(reader) if person.replaced(reader.resource) else reader.key.number
        if type_ == "Appointment":
            actors = (one.get("actor") for one in reader.resource.get("participant", ()))
            found = (self.links.target(actor, "Patient") for actor in actors)
            target = next((one for one in found if one and one.facility == reader.key.facility), None)
            number = target.number if target else None
            element = "participant"
        else:
            element = "patient" if type_ == "AllergyIntolerance" else "subject"
            number = reader.number_of(element, "Patient", reader.resource.get(element))
        if number is None and not self.issues:
            reader.wrong(element, "it must name the patient, by the campus's number", "required")
        return number

    def _changes(self, readers: Mapping[int, Reader], number: str) -> Iterator[Change]:
        patient, merge = Patient(number=number), None
        for place, reader in readers.items():
            if self.parts[place].type == "Patient":
                if not person.replaced(reader.resource):  # the duplicate's facts say nothing of the survivor
                    patient = self._kept(reader, person.patient) or patient
                merge = self._kept(reader, person.merge)
                kind = Kind.PATIENT if merge is None else Kind.MERGE
                yield Change(kind=kind, patient=patient, merge=merge)
        for place, reader in readers.items():
            if self.parts[place].type == "Encounter" and (found := self._kept(reader, visit.encounter)):
                yield Change(kind=Kind.ENCOUNTER, patient=patient, encounter=found)
        yield from self._sections(readers, patient)

    def _sections(self, readers: Mapping[int, Reader], patient: Patient) -> Iterator[Change]:
        groups: dict[tuple[str, str | None], list[Any]] = {}
        for place, reader in readers.items():
            type_ = self.parts[place].type
            if type_ in _SECTIONS and (fact := self._kept(reader, self._make(type_))) is not None:
                groups.setdefault((type_, _visit_number(type_, reader)), []).append(fact)
        for (type_, number), facts in groups.items():
            kind, section = _SECTIONS[type_]
            encounter = Encounter(number=number) if number else None
            yield Change.model_validate(
                {"kind": kind, "patient": patient, "encounter": encounter, section: tuple(facts)}
            )

    def _make(self, type_: str) -> Callable[[Reader], Fact | None]:
        if type_ == "DiagnosticReport":
            return lambda reader: diagnostic_report.diagnostic_report(reader, self._results(reader))
        if type_ == "DocumentReference":
            return lambda reader: document_reference.document_reference(reader, self._binaries())
        return _PLAIN[type_]

    def _kept(self, reader: Reader, make: Callable[[Reader], F | None]) -> F | None:
        """Return what a reader makes; what the canonical model does not take is an issue."""
        try:
            return make(reader)
        except ValidationError as error:
            for one in error.errors(include_input=False, include_context=False, include_url=False):
                field_ = ".".join(map(str, one["loc"]))
                reader.issues.append(Issue(reader.path, f"{field_}: not kept so ({one['type']})", "value"))
            return None

    def _results(self, report: Reader) -> list[Result]:
        """Return the results that a report refers to and that came along."""
        found = []
        contained = {f"#{one.get('id')}": one for one in report.resource.get("contained", ())}
        for number, reference in enumerate(report.resource.get("result", ())):
            address = str(reference.get("reference", ""))
            if address in contained:
                path = f"{report.path}.contained.where(id = '{address[1:]}')"
                reader = Reader(contained[address], report.key, self.links, path, self.issues)
            elif (place := self._observations.get(address)) is not None:
                self.used.add(place)
                part = self.parts[place]
                reader = Reader(part.resource, report.key, self.links, part.path, self.issues)
            elif address.startswith("Observation/"):
                continue  # here already, and nothing is said of it
            else:
                report.wrong(f"result[{number}]", "the Observation did not come along", "not-found")
                continue
            self._same_patient(reader)
            if (result := self._kept(reader, observation.observation)) is not None:
                found.append(result)
        return found

    def _same_patient(self, reader: Reader) -> None:
        subject = reader.resource.get("subject")
        number = reader.number_of("subject", "Patient", subject)
        if subject is not None and number not in (None, self.patient):
            reader.wrong("subject", "it is about another patient than its report", "business-rule")

    @cached_property
    def _observations(self) -> Mapping[str, int]:
        places = enumerate(self.parts)
        return {name: place for place, part in places if part.type == "Observation" for name in _names(part)}

    def _binaries(self) -> dict[str, Resource]:
        found: dict[str, Resource] = {}
        for place, part in enumerate(self.parts):
            if part.type == "Binary":
                self.used.add(place)
                found |= dict.fromkeys(_names(part), part.resource)
        return found

    def _unused(self) -> None:
        for place, part in enumerate(self.parts):
            if part.type in PARTS and place not in self.used:
                holder = "DiagnosticReport.result" if part.type == "Observation" else "DocumentReference"
                text = f"it is kept as a part: refer to it in {holder}, in the same request"
                self.issues.append(Issue(part.path, text, "business-rule"))

    def _notes(self) -> Iterator[Issue]:
        for part in self.parts:
            if part.type in BESIDE:
                if part.type != "MessageHeader":
                    yield _note(part.path)
                continue
            for element in sorted(part.resource.keys() - _EVERY - _ELEMENTS[part.type]):
                yield _note(f"{part.path}.{element}")
            for number, one in enumerate(part.resource.get("extension", ())):
                if one.get("url") not in KNOWN and (part.type, one.get("url")) != ("Patient", IMPORTANCE):
                    yield _note(f"{part.path}.extension[{number}]")


def _note(expression: str) -> Issue:
    return Issue(
        expression, "not kept in the records; the request is kept as it came", "informational", "information"
    )


def _names(part: Part) -> Iterator[str]:
    """Give the addresses by which other resources of the request may refer to a part."""
    if part.address:
        yield part.address
    if id_ := part.resource.get("id"):
        yield f"{part.type}/{id_}"


def _visit_number(type_: str, reader: Reader) -> str | None:
    resource = reader.resource
    found: Mapping[str, tuple[str, Any]] = {
        "DocumentReference": (
            "context.encounter[0]",
            next(iter((resource.get("context") or {}).get("encounter", ())), None),
        ),
        "Appointment": ("extension", value_of(resource, ENCOUNTER, "Reference")),
        "ChargeItem": ("context", resource.get("context")),
    }
    element, value = found.get(type_, ("encounter", resource.get("encounter")))
    return reader.number_of(element, "Encounter", value)
