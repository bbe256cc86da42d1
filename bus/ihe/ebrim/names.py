"""The names of the wire: namespaces, classification schemes and external identifiers (ITI TF-3 §4.2.5)."""

from __future__ import annotations

from dataclasses import dataclass

RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
RS = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
LCM = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
QUERY = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
NSMAP = {"rim": RIM, "rs": RS, "lcm": LCM, "query": QUERY}

OBJECT_TYPE = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"
SUCCESS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
FAILURE = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure"
PARTIAL_SUCCESS = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"

CODING_SCHEME = "codingScheme"
SUBMISSION_SET_STATUS = "SubmissionSetStatus"
PREVIOUS_VERSION = "PreviousVersion"
REFERENCE_IDS = "urn:ihe:iti:xds:2013:referenceIdList"
DOCUMENTATION = "urn:uuid:abd807a3-4432-4053-87b4-fd82c643d1f3"
"""Classification scheme of an association's documentation."""

SET_NODE = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
FOLDER_NODE = "urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"


@dataclass(frozen=True, slots=True)
class Text:
    """A slot: its name, and the attribute it is."""

    slot: str
    field: str
    many: bool = False
    required: bool = False


@dataclass(frozen=True, slots=True)
class Coding:
    """A classification: its scheme, and the attribute it is."""

    scheme: str
    field: str
    name: str
    """As the profile names the attribute."""
    many: bool = False
    required: bool = True


@dataclass(frozen=True, slots=True)
class Shape:
    """How a kind of objects is written."""

    name: str
    """XDSDocumentEntry, XDSSubmissionSet or XDSFolder."""
    patient_id: str
    unique_id: str
    """Identification schemes."""
    limited: str
    """Classification scheme of limitedMetadata."""
    texts: tuple[Text, ...]
    codings: tuple[Coding, ...]
    author: str | None = None
    """Classification scheme of the authors."""
    source_id: str | None = None


AUTHOR = (
    Text("authorPerson", "person"),
    Text("authorInstitution", "institutions", many=True),
    Text("authorRole", "roles", many=True),
    Text("authorSpecialty", "specialties", many=True),
    Text("authorTelecommunication", "telecommunications", many=True),
)

DOCUMENT = Shape(
    name="XDSDocumentEntry",
    patient_id="urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
    unique_id="urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab",
    limited="urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85",
    author="urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d",
    texts=(
        Text("creationTime", "creation_time"),
        Text("hash", "hash"),
        Text("languageCode", "language_code"),
        Text("legalAuthenticator", "legal_authenticator"),
        Text("repositoryUniqueId", "repository_unique_id"),
        Text("serviceStartTime", "service_start_time"),
        Text("serviceStopTime", "service_stop_time"),
        Text("size", "size"),
        Text("sourcePatientId", "source_patient_id"),
        Text("sourcePatientInfo", "source_patient_info", many=True),
        Text("URI", "uri"),
        Text("documentAvailability", "document_availability"),
        Text(REFERENCE_IDS, "reference_ids", many=True),
    ),
    codings=(
        Coding("urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a", "class_code", "classCode"),
        Coding(
            "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f",
            "confidentiality_codes",
            "confidentialityCode",
            many=True,
        ),
        Coding(
            "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4",
            "event_codes",
            "eventCodeList",
            many=True,
            required=False,
        ),
        Coding("urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d", "format_code", "formatCode"),
        Coding(
            "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
            "facility_type_code",
            "healthcareFacilityTypeCode",
        ),
        Coding(
            "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead", "practice_setting_code", "practiceSettingCode"
        ),
        Coding("urn:uuid:f0306f51-975f-434e-a61c-c59651d33983", "type_code", "typeCode"),
    ),
)
SUBMISSION_SET = Shape(
    name="XDSSubmissionSet",
    patient_id="urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446",
    unique_id="urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8",
    limited="urn:uuid:5003a9db-8d8d-49e6-bf0c-990e34ac7707",
    author="urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d",
    source_id="urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832",
    texts=(
        Text("submissionTime", "submission_time", required=True),
        Text("intendedRecipient", "intended_recipients", many=True),
    ),
    codings=(
        Coding("urn:uuid:aa543740-bdda-424e-8c96-df4873be8500", "content_type_code", "contentTypeCode"),
    ),
)
FOLDER = Shape(
    name="XDSFolder",
    patient_id="urn:uuid:f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a",
    unique_id="urn:uuid:75df8f67-9973-4fbe-a900-df66cefecc5a",
    limited="urn:uuid:2c144a76-29a9-4b7c-af54-b25409fe7d03",
    texts=(Text("lastUpdateTime", "last_update_time"),),
    codings=(Coding("urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5", "codes", "codeList", many=True),),
)
