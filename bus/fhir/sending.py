"""A change as a Bundle for another system: the resources that `/fhir` shows, with ids and addresses that
follow from campus and number, so that a receiver to which it comes twice has it once.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bus.fhir.resources.allergy_intolerance import allergy_intolerance
from bus.fhir.resources.appointment import appointment
from bus.fhir.resources.charge_item import charge_item
from bus.fhir.resources.diagnostic_report import diagnostic_report
from bus.fhir.resources.document_reference import document_reference
from bus.fhir.resources.encounter import encounter
from bus.fhir.resources.medication_request import medication_request
from bus.fhir.resources.observation import observation
from bus.fhir.resources.patient import patient
from bus.fhir.resources.procedure import procedure
from bus.fhir.resources.service_request import service_request
from bus.fhir.shapes import Resource, identifier, time, without_empty
from bus.fhir.systems import Systems
from consortium.records.facts import Said, take_apart
from consortium.records.keys import NAMESPACE, record_id
from consortium.records.model import Change, Provenance

Kind = Literal["transaction", "message"]
URI = "urn:ietf:rfc:3986"
EVENTS = "urn:yilian:message-event"
_PLAIN = {
    "charge": charge_item,
    "appointment": appointment,
    "procedure": procedure,
    "allergy": allergy_intolerance,
}


def bundle(change: Change, provenance: Provenance, systems: Systems, kind: Kind) -> Resource:
    """Make a transaction, in which each resource is updated by its identifier, or a message.

    `change` says all that is known (`consortium.records.known.completed`): a receiver that replaces what it
    has loses nothing.
    """
    sending = _Sending(change, provenance, systems)
    resources = list(sending.resources())
    part = "" if provenance.part is None else f"\x1f{provenance.part}"
    id_ = uuid.uuid5(NAMESPACE, f"bundle\x1f{provenance.facility}\x1f{provenance.message_id}{part}")
    entries = [_entry(resource, kind) for resource in resources]
    if kind == "message":
        entries.insert(0, _header(change, id_, resources, systems.patient(provenance.facility)))
    return {
        "resourceType": "Bundle",
        "id": str(id_),
        "identifier": {"system": URI, "value": f"urn:uuid:{id_}"},
        "type": kind,
        "timestamp": time(provenance.received_at),
        "entry": [_linked(entry, {resource["id"] for resource in resources}) for entry in entries],
    }


def _entry(resource: Resource, kind: Kind) -> Resource:
    address = f"urn:uuid:{resource['id']}"
    if kind == "message":
        return {"fullUrl": address, "resource": resource}
    name = resource["resourceType"]
    [found, *_] = [resource["masterIdentifier"]] if "masterIdentifier" in resource else resource["identifier"]
    url = f"{name}?identifier={found['system']}|{found['value']}"
    return {"fullUrl": address, "resource": resource, "request": {"method": "PUT", "url": url}}


def _header(change: Change, id_: uuid.UUID, resources: list[Resource], source: str) -> Resource:
    header_id = uuid.uuid5(id_, "header")
    header = {
        "resourceType": "MessageHeader",
        "id": str(header_id),
        "eventCoding": {"system": EVENTS, "code": change.kind.value},
        "source": {"name": "医联 Yilian", "endpoint": source},
        "focus": [{"reference": f"{one['resourceType']}/{one['id']}"} for one in resources],
    }
    return {"fullUrl": f"urn:uuid:{header_id}", "resource": header}


def _linked(value: Any, ids: set[str]) -> Any:
    """Let references lead to the entries' addresses, wherever they stand."""
    if isinstance(value, list):
        return [_linked(one, ids) for one in value]
    if not isinstance(value, dict):
        return value
    linked = {name: _linked(one, ids) for name, one in value.items()}
    id_ = str(linked.get("reference", "")).rpartition("/")[2]
    return linked | {"reference": f"urn:uuid:{id_}"} if id_ in ids else linked


@dataclass(frozen=True)
class _Sending:
    change: Change
    provenance: Provenance
    systems: Systems

    def resources(self) -> Iterator[Resource]:
        yield self._patient()
        for said in take_apart(self.change, self.provenance):
            for resource in self._made(said):
                yield resource | {"meta": {"source": self.systems.patient(self.provenance.facility)}}

    @property
    def _patient_id(self) -> uuid.UUID:
        return record_id(self.provenance.facility, "patient", self.change.patient.number)

    def _patient(self) -> Resource:
        facility, facts = self.provenance.facility, self.change.patient
        number = {"facility": facility, "number": facts.number, "active": True}
        row = facts.model_dump() | {
            "id": self._patient_id,
            "active": True,
            "changed_at": self.provenance.received_at,
            "identifiers": [number],
        }
        made = patient(row, self.systems)
        domain = self.systems.patient(facility)
        known = [one for one in made["identifier"] if one["system"] != self.systems.person]
        return made | {
            "meta": {"source": domain},
            "identifier": sorted(known, key=lambda one: one["system"] != domain),
            **self._replaced(domain),
        }

    def _replaced(self, domain: str) -> Resource:
        merge = self.change.merge
        if merge is None:
            return {}
        other = {"type": "Patient", "identifier": {"system": domain, "value": merge.retired}}
        return {"link": [{"other": other, "type": "replaces"}]}

    def _row(self, said: Said) -> dict[str, Any]:
        """Return what is said as the row that the resources are made of."""
        row: dict[str, Any] = dict.fromkeys(said.table.columns)
        return (
            row
            | said.first
            | {
                "id": said.id,
                "person_id": self._patient_id,
                "deleted": bool(said.deleted),
                "changed_at": self.provenance.received_at,
            }
        )

    def _made(self, said: Said) -> Iterator[Resource]:
        row = self._row(said)
        if said.table.name == "encounter":
            yield encounter(row, self.systems, [self._row(child) for child in said.children])
        elif said.table.name == "report":
            yield from self._report(said, row)
        elif said.table.name == "document":
            yield self._document(said, row)
        elif said.table.name == "order":
            yield (medication_request if row["kind"] == "medication" else service_request)(row, self.systems)
        else:
            yield _PLAIN[said.table.name](row, self.systems)

    def _report(self, said: Said, row: dict[str, Any]) -> Iterator[Resource]:
        made = diagnostic_report(
            row | {"order_known": False}, self.systems, [one.id for one in said.children]
        )
        ordered = identifier(self.systems.of(row["facility"], "order"), row["order_number"], "PLAC")
        order = {"type": "ServiceRequest", "identifier": ordered} if ordered else None
        yield without_empty(made | {"basedOn": [order] if order else None})
        for child in said.children:
            result = observation(self._row(child), self.systems)
            yield result | {"identifier": [{"system": URI, "value": f"urn:uuid:{child.id}"}]}

    def _document(self, said: Said, row: dict[str, Any]) -> Resource:
        made = document_reference(row | {"superseded": False}, self.systems)
        if not said.content:
            return made
        [content] = made["content"]
        attachment: Mapping[str, Any] = content["attachment"]
        data = base64.b64encode(said.content).decode()
        kept = {name: value for name, value in attachment.items() if name != "url"}
        return made | {"content": [{"attachment": {**kept, "data": data}}]}
