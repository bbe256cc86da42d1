"""What this server can do (CapabilityStatement, R4 section 2.2.1)."""

from __future__ import annotations

from api.fhir import calendar_parameters, including, referral_parameters, vocabulary
from api.fhir.kinds import KINDS, Kind
from bus.fhir.reading.keys import KINDS as WRITTEN
from bus.fhir.shapes import Resource

Parameter = tuple[str, str, str]
"""Name, type, documentation."""

PATIENT: tuple[Parameter, ...] = (
    ("_id", "token", "golden person"),
    (
        "identifier",
        "token",
        "resident ID card (urn:oid:2.16.156.10011.1.3), or the patient number of a campus; a system alone"
        " also says which identifiers are shown; all that are given hold, of those joined by commas one",
    ),
    ("name", "string", "the whole name begins with; :exact, :contains"),
    ("family", "string", "family name begins with; :exact"),
    ("given", "string", "given name begins with; :exact; every one that is given"),
    ("birthdate", "date", "eq, ge, gt, sa, le, lt, eb"),
    ("gender", "token", "male, female, other, unknown"),
    ("phone", "token", "telephone number as the campus has it"),
    ("telecom", "token", "as phone"),
    ("active", "token", "true; people whom every number has left are not found"),
    ("address", "string", "in the address; :exact"),
    ("address-city", "string", "in the address, which is kept as one text; so are the other parts"),
    ("address-state", "string", "in the address"),
    ("address-postalcode", "string", "in the address"),
    ("address-country", "string", "in the address"),
)
PATIENT_OPERATIONS = [
    {"name": "ihe-pix", "definition": "https://profiles.ihe.net/ITI/PIXm/OperationDefinition/IHE.PIXm.pix"},
    {"name": "match", "definition": "http://hl7.org/fhir/OperationDefinition/Patient-match"},
    {"name": "export", "definition": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export"},
]
SEARCHED_ONLY = ("Communication",)
EXPORT = {"name": "export", "definition": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export"}


DOCUMENTATION = (
    "Every read of a patient is audited; X-Purpose-Of-Use states why. A campus's program writes what its own"
    " identifier systems name; a transaction or message is about one patient; a bundle holds POST and PUT."
    " An Observation is written with its DiagnosticReport, a Binary with its DocumentReference. What an"
    " update does not name stays as it is known."
)


def parameters(kind: Kind) -> list[Parameter]:
    """Return the search parameters of a kind of records."""
    found: list[Parameter] = [
        ("_id", "token", "logical id"),
        ("_lastUpdated", "date", "as date"),
        ("patient", "reference", "golden person; also patient.identifier"),
        ("subject", "reference", "as patient; also subject.identifier"),
    ]
    if kind.numbers:
        text = "the campus's number; for reports and results the accession number"
        found.append(("identifier", "token", text))
    text = "clinical time: eq, ge, gt, sa, le, lt, eb"
    found += [(name, "date", text) for name in kind.date_parameters]
    if kind.statuses:
        found.append((kind.status_parameter, "token", ", ".join(sorted(kind.statuses.values()))))
    found.append((kind.code_parameter, "token", "system|code or code"))
    if kind.categories:
        text = ", ".join(kind.categories)
        if kind.name == "ServiceRequest":
            text = f"{text}; {referral_parameters.CATEGORY_TEXT}"
        found.append((kind.category_parameter, "token", text))
    if kind.name == "Appointment":
        found.append(("based-on", "reference", "the ServiceRequest of a referral: its booked time"))
    if kind.name != "Encounter":
        found.append(("encounter", "reference", "visit"))
    if kind.based_on:
        found.append(("based-on", "reference", "order"))
    if kind.content:
        found.append(("_content", "string", "terms with spaces between, all of which stand in its text"))
    return found


def capability_statement(base: str, date: str) -> Resource:
    """Make the CapabilityStatement; `base` is the FHIR face's address, `date` the day it is given."""
    resources = [
        _resource("Patient", PATIENT)
        | {
            "conditionalDelete": "single",
            "operation": [_operation("everything"), *PATIENT_OPERATIONS],
        },
        *(_resource(kind.name, parameters(kind)) for kind in KINDS.values()),
    ]
    resources.append({"type": "Binary", "interaction": [{"code": "read"}]})
    for name, found in vocabulary.PARAMETERS.items():
        operations = vocabulary.operations(name)
        resources.append(_resource(name, found) | ({"operation": operations} if operations else {}))
    for name, found in {**calendar_parameters.PARAMETERS, **referral_parameters.PARAMETERS}.items():
        resources.append(_resource(name, found) | {"versioning": "no-version"})
    about = {"description": "shared records of the consortium", "url": base}
    rest = {
        "documentation": DOCUMENTATION,
        "resource": resources,
        "interaction": [{"code": "transaction"}, {"code": "batch"}],
        "operation": [_operation("validate"), EXPORT],
    }
    return server(date, about, rest)


def server(date: str, about: Resource, rest: Resource) -> Resource:
    """Make the CapabilityStatement of one of our faces; `about`: the implementation, `rest`: what it does."""
    security = {
        "cors": False,
        "description": "Bearer token of POST /api/v1/sign-in, or ./yilian token --user NAME",
    }
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "kind": "instance",
        "software": {"name": "Yilian 医联"},
        "implementation": about,
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [{"mode": "server", "security": security} | rest],
    }


def _operation(name: str) -> Resource:
    base = "http://hl7.org/fhir/OperationDefinition/"
    definitions = {"everything": "Patient-everything", "validate": "Resource-validate"}
    return {"name": name, "definition": f"{base}{definitions[name]}"}


def _resource(name: str, parameters: tuple[Parameter, ...] | list[Parameter]) -> Resource:
    reads = () if name in SEARCHED_ONLY else ("read",)
    interactions = [*reads, "search-type", *(("create", "update") if name in WRITTEN else ())]
    if name in KINDS:
        interactions += ["vread", "history-instance"]
    conditional = {"conditionalCreate": True, "conditionalUpdate": True} if name in WRITTEN else {}
    return {
        "type": name,
        "interaction": [{"code": code} for code in interactions],
        **conditional,
        "versioning": "no-version" if name == "Patient" else "versioned",
        "readHistory": name in KINDS,
        "searchInclude": including.forward(name),
        "searchRevInclude": including.reverse(name),
        "searchParam": [
            {"name": parameter, "type": type_, "documentation": text} for parameter, type_, text in parameters
        ],
    }
