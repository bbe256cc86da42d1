"""DiagnosticReport with its Observations → a report with its results."""

from __future__ import annotations

from collections.abc import Sequence

from bus.fhir.extensions import DOCTOR, value_of
from bus.fhir.reading.elements import Reader, codes, given, inverse
from bus.fhir.resources.diagnostic_report import DICOM, STATUSES
from consortium.records.model import Coded, Report, Result

ELEMENTS = frozenset(
    {"identifier", "basedOn", "status", "category", "code", "subject", "encounter", "effectiveDateTime"}
    | {"issued", "performer", "resultsInterpreter", "result", "conclusion", "presentedForm", "specimen"}
)
_STATUSES = inverse(
    STATUSES, registered="preliminary", partial="preliminary", amended="corrected", appended="corrected"
)


def diagnostic_report(reader: Reader, results: Sequence[Result]) -> Report | None:
    """Read a DiagnosticReport (R4 section 10.3); None where it is not complete."""
    resource = reader.resource
    item = reader.coded("code", resource.get("code"))
    if item is None:
        reader.wrong("code", "it must say what was examined", "required")
        return None
    error = resource.get("status") == "entered-in-error"
    kind = reader.key.kind.removesuffix("_report")
    author = next(iter(resource.get("resultsInterpreter", ())), None)
    return Report(
        number=reader.key.number,
        kind=kind,
        item=item,
        **given(
            status=None if error else reader.word("status", resource.get("status"), _STATUSES),
            order_number=_order(reader),
            modality=next(iter(codes(resource.get("category", ()), DICOM)), None),
            issued_at=reader.time("issued", resource.get("issued")),
            author=reader.practitioner(author),
            doctor=reader.practitioner(value_of(resource, DOCTOR, "Reference")),
            specimen=_specimen(reader),
            findings=_findings(reader),
            conclusion=reader.text("conclusion"),
            results=tuple(results) or None,
            deleted=error or None,
        ),
    )


def _specimen(reader: Reader) -> Coded | None:
    """Return the type of the specimen, which comes contained; one that does not come is an error."""
    found = reader.resource.get("specimen", ())
    if len(found) > 1:
        reader.wrong("specimen", "only one is kept: send a report for each", "not-supported")
    for reference in found[:1]:
        address = str(reference.get("reference", ""))
        for one in reader.resource.get("contained", ()):
            if f"#{one.get('id')}" == address and one.get("resourceType") == "Specimen":
                return reader.coded("specimen[0]", one.get("type"))
        reader.wrong("specimen[0]", "send the Specimen contained in its report", "not-found")
    return None


def _order(reader: Reader) -> str | None:
    orders = reader.resource.get("basedOn", ())
    return reader.number_of("basedOn[0]", "ServiceRequest", orders[0]) if orders else None


def _findings(reader: Reader) -> str | None:
    forms = reader.resource.get("presentedForm", ())
    texts = [one for one in forms if str(one.get("contentType", "")).startswith("text/plain")]
    if len(texts) < len(forms):
        advice = "only text/plain is kept of a report; send a file as DocumentReference"
        reader.wrong("presentedForm", advice, "not-supported")
    if not texts or not texts[0].get("data"):
        return None
    try:
        return reader.bytes("presentedForm[0].data", texts[0]["data"]).decode() or None
    except UnicodeDecodeError:
        reader.wrong("presentedForm[0].data", "it is no UTF-8")
        return None
