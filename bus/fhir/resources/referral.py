"""A referral in FHIR: the request (ServiceRequest), how far it is (Task), its booked time (Appointment).

What both hospitals wrote is Communication. All but the messages bear the referral's id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from bus.fhir.extensions import BASE
from bus.fhir.shapes import Resource, Row, organisation, reference, time, without_empty
from bus.fhir.systems import Systems
from consortium.referral.form import Form
from consortium.referral.model import State
from consortium.referral.words import STATES

SNOMED = "http://snomed.info/sct"
CATEGORY = "3457005"
"""Patient referral (SNOMED CT): what tells a referral from an order."""
STATE_SYSTEM = BASE + "referral-state"
PRIORITIES = {"routine": "routine", "urgent": "urgent", "emergency": "stat"}
TASK_STATUSES: Mapping[State, str] = {
    State.DRAFT: "draft",
    State.SUBMITTED: "requested",
    State.UNDER_REVIEW: "received",
    State.RETURNED_FOR_INFO: "on-hold",
    State.REJECTED: "rejected",
    State.REFERRED_ONWARD: "rejected",
    State.ACCEPTED: "accepted",
    State.AWAITING_SLOT: "accepted",
    State.BOOKED: "ready",
    State.RESCHEDULED: "ready",
    State.NO_SHOW: "on-hold",
    State.ARRIVED: "in-progress",
    State.IN_CARE: "in-progress",
    State.INTERIM_REPORTED: "in-progress",
    State.OUTCOME_RETURNED: "completed",
    State.CLOSED: "completed",
    State.CANCEL_REQUESTED: "on-hold",
    State.CANCELLED: "cancelled",
    State.EXPIRED: "failed",
}
"""Task.status (R4, value set task-status) of each state; `businessStatus` has the state itself."""
_REQUEST_STATUSES: Mapping[State, str] = {
    State.DRAFT: "draft",
    State.REJECTED: "revoked",
    State.REFERRED_ONWARD: "revoked",
    State.CANCELLED: "revoked",
    State.EXPIRED: "revoked",
    State.OUTCOME_RETURNED: "completed",
    State.CLOSED: "completed",
}
"""Of every other state `active`."""


def service_request(row: Row, documents: Sequence[UUID], systems: Systems) -> Resource:
    """Make the ServiceRequest of a referral (R4 section 12.16); `documents`: those attached."""
    form = Form.model_validate(row["form"])
    parent = reference("ServiceRequest", row["parent_id"])
    department = {"text": row["department"]} if row["department"] else None
    return without_empty(
        {
            "resourceType": "ServiceRequest",
            "id": str(row["id"]),
            "meta": {"versionId": str(row["number"] + 1), "lastUpdated": time(row["changed_at"])},
            "basedOn": [parent] if parent else None,
            "status": request_status(State(row["state"])),
            "intent": "order",
            "category": [_patient_referral()],
            "priority": PRIORITIES[row["urgency"]],
            "code": {"coding": [{"system": SNOMED, "code": CATEGORY}], "text": _direction(row)},
            "subject": _patient(row, form),
            "authoredOn": time(row["created_at"]),
            "requester": organisation(row["sending_facility"], systems),
            "performerType": department,
            "performer": [organisation(row["receiving_facility"], systems)],
            "reasonCode": _reasons(form),
            "supportingInfo": [reference("DocumentReference", id_) for id_ in documents],
        }
    )


def task(row: Row, systems: Systems) -> Resource:
    """Make the Task of a referral (R4 section 10.7): who has it, how far it is, until when."""
    state = State(row["state"])
    words = STATES[state]
    business = {"coding": [{"system": STATE_SYSTEM, "code": state, "display": words.zh}], "text": words.zh}
    until = {"period": {"end": time(row["deadline_at"])}} if row["deadline_at"] else None
    code = {"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}
    return without_empty(
        {
            "resourceType": "Task",
            "id": str(row["id"]),
            "meta": {"versionId": str(row["number"] + 1), "lastUpdated": time(row["changed_at"])},
            "partOf": [{"reference": f"Task/{row['parent_id']}"}] if row["parent_id"] else None,
            "status": TASK_STATUSES[state],
            "businessStatus": business,
            "intent": "order",
            "priority": PRIORITIES[row["urgency"]],
            "code": {"coding": [code]},
            "focus": reference("ServiceRequest", row["id"]),
            "for": _patient(row, Form.model_validate(row["form"])),
            "authoredOn": time(row["created_at"]),
            "lastModified": time(row["changed_at"]),
            "requester": organisation(row["sending_facility"], systems),
            "owner": organisation(row["receiving_facility"], systems),
            "restriction": until,
            "output": _outputs(row),
        }
    )


def appointment(row: Row, systems: Systems) -> Resource | None:
    """Make the Appointment of a referral (R4 section 12.13); None: there is no booked time."""
    if row["slot_start"] is None:
        return None
    slot = reference("Slot", row["slot_id"])
    patient = _patient(row, Form.model_validate(row["form"]))
    at = organisation(row["receiving_facility"], systems) | {"type": "HealthcareService"}
    participants = [{"actor": patient, "status": "accepted"}, {"actor": at, "status": "accepted"}]
    return without_empty(
        {
            "resourceType": "Appointment",
            "id": str(row["id"]),
            "meta": {"versionId": str(row["number"] + 1), "lastUpdated": time(row["changed_at"])},
            "status": appointment_status(State(row["state"])),
            "specialty": [{"text": row["department"]}] if row["department"] else None,
            "start": time(row["slot_start"]),
            "end": time(row["slot_end"]),
            "slot": [slot] if slot else None,
            "basedOn": [reference("ServiceRequest", row["id"])],
            "participant": participants,
        }
    )


def communication(message: Row, row: Row, systems: Systems) -> Resource:
    """Make the Communication of one message of a referral's thread (R4 section 10.8)."""
    senders = str(message["party"]).startswith("sending")
    sides = (row["sending_facility"], row["receiving_facility"])
    sender, recipient = sides if senders else reversed(sides)
    return without_empty(
        {
            "resourceType": "Communication",
            "id": str(message["id"]),
            "meta": {"lastUpdated": time(message["at"])},
            "basedOn": [reference("ServiceRequest", row["id"])],
            "status": "completed",
            "subject": reference("Patient", row["person_id"]),
            "sent": time(message["at"]),
            "recipient": [organisation(recipient, systems)],
            "sender": organisation(sender, systems),
            "payload": [{"contentString": message["body"]}],
        }
    )


def _patient_referral() -> Resource:
    return {"coding": [{"system": SNOMED, "code": CATEGORY, "display": "Patient referral"}]}


def _direction(row: Row) -> str:
    return {"up": "上转", "down": "下转"}[row["direction"]]


def _patient(row: Row, form: Form) -> Resource:
    """Return the golden person, or the name alone of a patient whom only the form knows."""
    if row["person_id"]:
        return {"reference": f"Patient/{row['person_id']}"}
    return {"type": "Patient", "display": form.name or "—"}


def _reasons(form: Form) -> list[Resource]:
    said = [{"text": text} for text in (form.reason, form.preliminary_diagnosis) if text]
    icd = "http://hl7.org/fhir/sid/icd-10"
    return [*said, *({"coding": [{"system": icd, "code": code}]} for code in form.diagnosis_codes)]


def _outputs(row: Row) -> list[Resource]:
    told: list[tuple[str, str, Any]] = [
        ("appointment", "valueReference", reference("Slot", row["slot_id"])),
        ("visit number at the receiving hospital", "valueString", row["arrival_encounter"]),
        ("outcome", "valueString", row["outcome"]),
    ]
    return [{"type": {"text": what}, key: value} for what, key, value in told if value]


def request_status(state: State) -> str:
    """Return ServiceRequest.status of a state."""
    return _REQUEST_STATUSES.get(state, "active")


def appointment_status(state: State) -> str:
    """Return Appointment.status of a state in which there is a booked time."""
    if state is State.CANCELLED:
        return "cancelled"
    if state in (State.ARRIVED, State.IN_CARE, State.INTERIM_REPORTED, State.OUTCOME_RETURNED, State.CLOSED):
        return "fulfilled"
    return "noshow" if state is State.NO_SHOW else "booked"
