"""The table of fields in docs/fhir.md: canonical ↔ HL7 v2 ↔ FHIR. A test fills each row in and looks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One fact, and where it stands."""

    fact: str
    """In the canonical model, by its kind: `order.item`."""
    hl7: str
    """Field as the HL7 v2-to-FHIR guide writes it; "" where v2 is given none."""
    fhir: str
    """Element."""


ROWS = tuple(
    Row(*row)
    for row in (
        ("patient.number", "PID-3.1", "Patient.identifier"),
        ("patient.name", "PID-5.1", "Patient.name.text"),
        ("patient.sex", "PID-8", "Patient.gender"),
        ("patient.birth_date", "PID-7", "Patient.birthDate"),
        ("patient.id_card", "PID-3.1", "Patient.identifier"),
        ("patient.phone", "PID-13.1", "Patient.telecom.value"),
        ("patient.address", "PID-11.1", "Patient.address.text"),
        ("patient.deceased", "PID-30", "Patient.deceasedBoolean"),
        ("patient.vip", "PV1-16", "Patient.extension"),
        ("merge.retired", "MRG-1.1", "Patient.link.other.identifier"),
        ("encounter.number", "PV1-19.1", "Encounter.identifier"),
        ("encounter.class_", "PV1-2", "Encounter.class.code"),
        ("encounter.status", "MSH-9.2", "Encounter.status"),
        ("encounter.department", "PV1-10.1", "Encounter.serviceType"),
        ("encounter.doctor", "PV1-7.1", "Encounter.participant.individual"),
        ("encounter.bed", "PV1-3.3", "Encounter.location.location.display"),
        ("encounter.start", "PV1-44", "Encounter.period.start"),
        ("encounter.end", "PV1-45", "Encounter.period.end"),
        ("encounter.diagnoses", "DG1-3.1", "Encounter.reasonCode"),
        ("order.number", "ORC-2.1", "ServiceRequest.identifier"),
        ("order.filler_number", "ORC-3.1", "ServiceRequest.identifier"),
        ("order.kind", "OBR-24", "ServiceRequest.category"),
        ("order.status", "ORC-1", "ServiceRequest.status"),
        ("order.item", "OBR-4.1", "ServiceRequest.code"),
        ("order.priority", "OBR-5", "ServiceRequest.priority"),
        ("order.ordered_at", "ORC-9", "ServiceRequest.authoredOn"),
        ("order.doctor", "ORC-12.1", "ServiceRequest.requester"),
        ("order.department", "ORC-17.1", "ServiceRequest.extension"),
        ("order.prescription", "ORC-4.1", "MedicationRequest.groupIdentifier"),
        ("order.dose", "RXO-2", "MedicationRequest.dosageInstruction.doseAndRate.doseQuantity.value"),
        ("order.dose_unit", "RXO-4.1", "MedicationRequest.dosageInstruction.doseAndRate.doseQuantity.unit"),
        ("order.route", "RXR-1.1", "MedicationRequest.dosageInstruction.route"),
        ("order.frequency", "ORC-7.2.1", "MedicationRequest.dosageInstruction.timing.code"),
        ("order.days", "ORC-7.3", "MedicationRequest.dosageInstruction.timing.repeat.boundsDuration"),
        ("order.quantity", "RXO-11", "MedicationRequest.dispenseRequest.quantity.value"),
        ("order.quantity_unit", "RXO-12.1", "MedicationRequest.dispenseRequest.quantity.unit"),
        ("order.instructions", "RXO-7.2", "MedicationRequest.dosageInstruction.text"),
        ("report.number", "OBR-3.1", "DiagnosticReport.identifier"),
        ("report.kind", "OBR-24", "DiagnosticReport.category"),
        ("report.item", "OBR-4.1", "DiagnosticReport.code"),
        ("report.status", "OBR-25", "DiagnosticReport.status"),
        ("report.order_number", "OBR-2.1", "DiagnosticReport.basedOn"),
        ("report.issued_at", "OBR-22", "DiagnosticReport.issued"),
        ("report.author", "OBR-32.1.1", "DiagnosticReport.resultsInterpreter"),
        ("report.doctor", "OBR-16.1", "DiagnosticReport.extension"),
        ("report.specimen", "OBR-15.1.1", "DiagnosticReport.contained.type"),
        ("report.findings", "OBX-5", "DiagnosticReport.presentedForm"),
        ("report.conclusion", "OBX-5", "DiagnosticReport.conclusion"),
        ("result.item", "OBX-3.1", "Observation.code"),
        ("result.sub_id", "OBX-4", "Observation.extension"),
        ("result.value", "OBX-5", "Observation.valueQuantity"),
        ("result.unit", "OBX-6", "Observation.valueQuantity.unit"),
        ("result.reference_range", "OBX-7", "Observation.referenceRange.text"),
        ("result.flag", "OBX-8", "Observation.interpretation"),
        ("result.status", "OBX-11", "Observation.status"),
        ("result.observed_at", "OBX-14", "Observation.effectiveDateTime"),
        ("document.number", "TXA-12.1", "DocumentReference.masterIdentifier"),
        ("document.type", "TXA-2.1", "DocumentReference.type"),
        ("document.title", "TXA-16", "DocumentReference.description"),
        ("document.status", "TXA-19", "DocumentReference.status"),
        ("document.replaces", "TXA-13.1", "DocumentReference.relatesTo.target"),
        ("document.author", "TXA-9.1", "DocumentReference.author"),
        ("document.created_at", "TXA-4", "DocumentReference.date"),
        ("document.content", "OBX-5.5", "DocumentReference.content.attachment.data"),
        ("charge.number", "FT1-2", "ChargeItem.identifier"),
        ("charge.item", "FT1-7.1", "ChargeItem.code"),
        ("charge.amount", "FT1-11.1.1", "ChargeItem.priceOverride.value"),
        ("charge.currency", "FT1-11.1.2", "ChargeItem.priceOverride.currency"),
        ("charge.quantity", "FT1-10", "ChargeItem.quantity.value"),
        ("charge.charged_at", "FT1-4", "ChargeItem.occurrenceDateTime"),
        ("charge.payer", "FT1-14.2", "ChargeItem.extension"),
        ("appointment.number", "SCH-1.1", "Appointment.identifier"),
        ("appointment.status", "SCH-25", "Appointment.status"),
        ("appointment.item", "SCH-7.1", "Appointment.serviceType"),
        ("appointment.department", "AIG-3.1", "Appointment.specialty"),
        ("appointment.doctor", "AIP-3.1", "Appointment.participant.actor"),
        ("appointment.start", "SCH-11.4", "Appointment.start"),
        ("appointment.minutes", "SCH-9", "Appointment.minutesDuration"),
        ("procedure.number", "", "Procedure.identifier"),
        ("procedure.kind", "", "Procedure.category"),
        ("procedure.status", "", "Procedure.status"),
        ("procedure.item", "", "Procedure.code"),
        ("procedure.site", "", "Procedure.bodySite"),
        ("procedure.start", "", "Procedure.performedPeriod.start"),
        ("procedure.end", "", "Procedure.performedPeriod.end"),
        ("procedure.doctor", "", "Procedure.performer.actor"),
        ("procedure.department", "", "Procedure.extension"),
        ("procedure.order_number", "", "Procedure.extension"),
        ("procedure.part_of", "", "Procedure.extension"),
        ("procedure.level", "", "Procedure.extension"),
        ("procedure.incision", "", "Procedure.extension"),
        ("procedure.note", "", "Procedure.note.text"),
        ("allergy.number", "", "AllergyIntolerance.identifier"),
        ("allergy.item", "", "AllergyIntolerance.code"),
        ("allergy.category", "", "AllergyIntolerance.category"),
        ("allergy.criticality", "", "AllergyIntolerance.criticality"),
        ("allergy.status", "", "AllergyIntolerance.clinicalStatus"),
        ("allergy.reaction", "", "AllergyIntolerance.extension"),
        ("allergy.noted_at", "", "AllergyIntolerance.recordedDate"),
        ("allergy.author", "", "AllergyIntolerance.recorder"),
    )
)


def page() -> str:
    """Return the rows as the page shows them."""
    lines = ["| canonical | HL7 v2 | FHIR R4 |", "|---|---|---|"]
    lines += [f"| `{row.fact}` | {row.hl7} | `{row.fhir}` |" for row in ROWS]
    return "\n".join(lines) + "\n"
