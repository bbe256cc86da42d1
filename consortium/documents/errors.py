"""What a registry or repository answers when something is wrong (ITI TF-3 §4.2.4)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from consortium.errors import PermanentError


class ErrorCode(enum.StrEnum):
    """Error codes by their names in the profile (table 4.2.4.1-2)."""

    DOCUMENT_ENTRY_MISSING_OR_UNKNOWN = "XDSMissingDocument"
    """Metadata names a document that did not come along."""
    MISSING_DOCUMENT_METADATA = "XDSMissingDocumentMetadata"
    """A document came that no metadata names."""
    REGISTRY_NOT_AVAILABLE = "XDSRegistryNotAvailable"
    REGISTRY_ERROR = "XDSRegistryError"
    REPOSITORY_ERROR = "XDSRepositoryError"
    REGISTRY_DUPLICATE_UNIQUE_ID = "XDSRegistryDuplicateUniqueIdInMessage"
    REPOSITORY_DUPLICATE_UNIQUE_ID = "XDSRepositoryDuplicateUniqueIdInMessage"
    DUPLICATE_UNIQUE_ID_IN_REGISTRY = "XDSDuplicateUniqueIdInRegistry"
    NON_IDENTICAL_HASH = "XDSNonIdenticalHash"
    NON_IDENTICAL_SIZE = "XDSNonIdenticalSize"
    REGISTRY_BUSY = "XDSRegistryBusy"
    REPOSITORY_BUSY = "XDSRepositoryBusy"
    REGISTRY_OUT_OF_RESOURCES = "XDSRegistryOutOfResources"
    REPOSITORY_OUT_OF_RESOURCES = "XDSRepositoryOutOfResources"
    REGISTRY_METADATA_ERROR = "XDSRegistryMetadataError"
    REPOSITORY_METADATA_ERROR = "XDSRepositoryMetadataError"
    TOO_MANY_RESULTS = "XDSTooManyResults"
    EXTRA_METADATA_NOT_SAVED = "XDSExtraMetadataNotSaved"
    UNKNOWN_PATIENT_ID = "XDSUnknownPatientId"
    PATIENT_ID_DOES_NOT_MATCH = "XDSPatientIdDoesNotMatch"
    UNKNOWN_STORED_QUERY = "XDSUnknownStoredQuery"
    STORED_QUERY_MISSING_PARAMETER = "XDSStoredQueryMissingParam"
    STORED_QUERY_PARAMETER_NUMBER = "XDSStoredQueryParamNumber"
    REGISTRY_DEPRECATED_DOCUMENT = "XDSRegistryDeprecatedDocumentError"
    UNKNOWN_REPOSITORY_ID = "XDSUnknownRepositoryId"
    DOCUMENT_UNIQUE_ID_ERROR = "XDSDocumentUniqueIdError"
    RESULT_NOT_SINGLE_PATIENT = "XDSResultNotSinglePatient"
    PARTIAL_FOLDER_CONTENT_NOT_PROCESSED = "PartialFolderContentNotProcessed"
    PARTIAL_REPLACE_CONTENT_NOT_PROCESSED = "PartialReplaceContentNotProcessed"
    UNKNOWN_COMMUNITY = "XDSUnknownCommunity"
    MISSING_HOME_COMMUNITY_ID = "XDSMissingHomeCommunityId"
    INVALID_DOCUMENT_CONTENT = "InvalidDocumentContent"
    UNRESOLVED_REFERENCE = "UnresolvedReferenceException"


class Severity(enum.StrEnum):
    """How bad; the value is the one on the wire."""

    ERROR = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error"
    WARNING = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Warning"


@dataclass(frozen=True, slots=True)
class RegistryError:
    """One line of a RegistryErrorList."""

    code: ErrorCode
    context: str
    """What, where and what to do, for a person; names objects by their ids, never a patient's data."""
    location: str = ""
    """The object and attribute, such as `Document01.hash`."""
    severity: Severity = Severity.ERROR


class RefusedError(PermanentError):
    """A submission or query that cannot be answered as asked. Nothing of it was kept."""

    def __init__(self, *errors: RegistryError) -> None:
        """Keep at least one error."""
        super().__init__("; ".join(f"{each.code}: {each.context}" for each in errors))
        self.errors = errors


def refusal(code: ErrorCode, context: str, location: str = "") -> RefusedError:
    """Return the exception for a single error."""
    return RefusedError(RegistryError(code, context, location))
