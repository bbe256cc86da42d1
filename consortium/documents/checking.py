"""What can be said of a submission without looking at the registry: the form of its metadata.

Pure. Every mistake is told, with the object and the attribute.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from consortium.documents.affinity import AffinityDomain
from consortium.documents.errors import ErrorCode, RegistryError
from consortium.documents.hl7types import instant, is_oid
from consortium.documents.model import (
    AnyObject,
    Association,
    AssociationType,
    Code,
    DocumentEntry,
    Folder,
    MemberKind,
    ObjectType,
    RegistryObject,
    Submission,
)

_SHA1 = re.compile(r"[0-9a-fA-F]{40}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_UUID = re.compile(r"urn:uuid:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DOCUMENT_ID = 128
"""Longest uniqueId of a document: an OID, ^ and an extension."""
_CODES = (
    ("class", "class_code", "classCode"),
    ("type", "type_code", "typeCode"),
    ("format", "format_code", "formatCode"),
    ("facility_type", "facility_type_code", "healthcareFacilityTypeCode"),
    ("practice_setting", "practice_setting_code", "practiceSettingCode"),
)
_CODE_LISTS = (
    ("confidentiality", "confidentiality_codes", "confidentialityCode"),
    ("event", "event_codes", "eventCodeList"),
)
_REQUIRED = (
    ("creation_time", "creationTime"),
    ("hash", "hash"),
    ("size", "size"),
    ("language_code", "languageCode"),
    ("source_patient_id", "sourcePatientId"),
    ("repository_unique_id", "repositoryUniqueId"),
)
_TIMES = (
    ("creation_time", "creationTime"),
    ("service_start_time", "serviceStartTime"),
    ("service_stop_time", "serviceStopTime"),
)


def check(submission: Submission, domain: AffinityDomain) -> list[RegistryError]:
    """Return every mistake in the form of a submission; none: the registry decides."""
    return [
        *_ids(submission),
        *_unique_ids(submission),
        *_submission_set(submission, domain),
        *(mistake for each in submission.documents for mistake in _document(each, domain)),
        *(mistake for each in submission.folders for mistake in _folder(each, domain)),
        *(mistake for each in submission.associations for mistake in _association(each, domain)),
        *_patients(submission),
        *_members(submission),
    ]


def objects(submission: Submission) -> tuple[RegistryObject, ...]:
    """Return the set, the documents and the folders."""
    return (submission.submission_set, *submission.documents, *submission.folders)


def is_uuid(id_: str) -> bool:
    """Whether an id is a UUID; what begins with urn:uuid: and is none is a mistake, the rest is symbolic."""
    return _UUID.fullmatch(id_) is not None


def same(id_: str) -> str:
    """Return what an id is compared by: UUIDs have no case, symbolic ids do."""
    return id_.lower() if is_uuid(id_) else id_


def _wrong(each: AnyObject, attribute: str, what: str) -> RegistryError:
    context = f"{each.entry_uuid}: {what}"
    return RegistryError(ErrorCode.REGISTRY_METADATA_ERROR, context, f"{each.entry_uuid}.{attribute}")


def _ids(submission: Submission) -> Iterator[RegistryError]:
    every: list[AnyObject] = [*objects(submission), *submission.associations]
    twice = {id_ for id_, count in Counter(same(each.entry_uuid) for each in every).items() if count > 1}
    for each in every:
        if same(each.entry_uuid) in twice:
            yield _wrong(each, "id", "the id is that of two objects in the message: give each its own")
        if each.entry_uuid.lower().startswith("urn:uuid:") and not is_uuid(each.entry_uuid):
            yield _wrong(each, "id", "the id begins as a UUID and is none")
        home = each.home_community_id
        if home is not None and not is_oid(home.removeprefix("urn:oid:")):
            yield _wrong(each, "home", "homeCommunityId must be urn:oid: and an OID")


def _unique_ids(submission: Submission) -> Iterator[RegistryError]:
    counts = Counter(each.unique_id for each in objects(submission))
    for id_, count in counts.items():
        if count > 1:
            context = f"the uniqueId {id_} is that of {count} objects in the message: give each its own"
            yield RegistryError(ErrorCode.REGISTRY_DUPLICATE_UNIQUE_ID, context, id_)
    for each in objects(submission):
        oid, _, extension = each.unique_id.partition("^")
        whole = each.unique_id if not isinstance(each, DocumentEntry) or not extension else oid
        if not is_oid(whole) or len(each.unique_id) > _DOCUMENT_ID:
            yield _wrong(each, "uniqueId", "the uniqueId must be an OID of at most 64 characters")


def _submission_set(submission: Submission, domain: AffinityDomain) -> Iterator[RegistryError]:
    each = submission.submission_set
    if not is_oid(each.source_id):
        yield _wrong(each, "sourceId", "sourceId must be an OID")
    if instant(each.submission_time) is None:
        yield _wrong(each, "submissionTime", _no_time("submissionTime"))
    yield from _code(each, domain, "content_type", "contentTypeCode", each.content_type_code)


def _document(each: DocumentEntry, domain: AffinityDomain) -> Iterator[RegistryError]:
    if each.object_type is ObjectType.ON_DEMAND:
        yield _wrong(each, "objectType", "on-demand documents are not registered here: send it as stable")
        return
    for field, name in _REQUIRED:
        if getattr(each, field) in (None, ""):
            yield _wrong(each, name, f"the slot {name} is missing")
    for field, name in _TIMES:
        value = getattr(each, field)
        if value is not None and instant(value) is None:
            yield _wrong(each, name, _no_time(name))
    yield from _document_values(each, domain)
    for list_, field, name in _CODES:
        yield from _code(each, domain, list_, name, getattr(each, field))
    for list_, field, name in _CODE_LISTS:
        for code in getattr(each, field):
            yield from _code(each, domain, list_, name, code)


def _document_values(each: DocumentEntry, domain: AffinityDomain) -> Iterator[RegistryError]:
    if each.hash and not _SHA1.fullmatch(each.hash):
        yield _wrong(each, "hash", "hash must be a SHA-1 of 40 hexadecimal digits")
    if each.language_code and not _LANGUAGE.fullmatch(each.language_code):
        yield _wrong(each, "languageCode", "languageCode must be a language tag, such as zh-CN (RFC 5646)")
    if each.repository_unique_id and not is_oid(each.repository_unique_id):
        yield _wrong(each, "repositoryUniqueId", "repositoryUniqueId must be an OID")
    if each.mime_type.partition(";")[0].strip().lower() not in domain.mime_types:
        yield _wrong(each, "mimeType", f"{each.mime_type} is no MIME type of the affinity domain")
    if not each.confidentiality_codes:
        yield _wrong(each, "confidentialityCode", "the classification confidentialityCode is missing")


def _folder(each: Folder, domain: AffinityDomain) -> Iterator[RegistryError]:
    if not each.codes:
        yield _wrong(each, "codeList", "the classification codeList is missing")
    for code in each.codes:
        yield from _code(each, domain, "folder", "codeList", code)


def _association(each: Association, domain: AffinityDomain) -> Iterator[RegistryError]:
    if each.documentation is not None:
        yield from _code(each, domain, "association", "associationDocumentation", each.documentation)


def _code(
    each: AnyObject, domain: AffinityDomain, list_: str, name: str, code: Code
) -> Iterator[RegistryError]:
    if not code.code:
        yield _wrong(each, name, f"the classification {name} is missing")
    elif not domain.takes(list_, code):
        what = f"{name} {code.code} of {code.scheme} is no code of the affinity domain"
        yield _wrong(each, name, f"{what}: take one of the list {list_} in rules/codes/affinity-domain.yaml")


def _no_time(name: str) -> str:
    return f"{name} must be a time in UTC, written YYYY[MM[DD[hh[mm[ss]]]]]"


def _patients(submission: Submission) -> Iterator[RegistryError]:
    said = submission.submission_set.patient_id
    for each in (*submission.documents, *submission.folders):
        if each.patient_id != said:
            kind = "document" if isinstance(each, DocumentEntry) else "folder"
            context = f"{each.entry_uuid}: the {kind}'s patientId is not that of the submission set"
            location = f"{each.entry_uuid}.patientId"
            yield RegistryError(ErrorCode.PATIENT_ID_DOES_NOT_MATCH, context, location)


def _members(submission: Submission) -> Iterator[RegistryError]:
    """Everything that is submitted is a member of the set, marked as such."""
    set_id = submission.submission_set.entry_uuid
    members = [each for each in submission.associations if _is_member(each, set_id)]
    held = {same(each.target) for each in members}
    for each in (*submission.documents, *submission.folders):
        if same(each.entry_uuid) not in held:
            yield _wrong(each, "id", "no HasMember association makes it a member of the submission set")
    yield from _member_kinds(members, {same(each.entry_uuid) for each in submission.documents})


def _is_member(each: Association, set_id: str) -> bool:
    return each.type is AssociationType.HAS_MEMBER and same(each.source) == same(set_id)


def _member_kinds(members: Iterable[Association], submitted: set[str]) -> Iterator[RegistryError]:
    for each in members:
        here = same(each.target) in submitted
        if here and each.member_kind is not MemberKind.ORIGINAL:
            yield _wrong(each, "SubmissionSetStatus", "SubmissionSetStatus of what is submitted is Original")
        elif not is_uuid(each.target) and each.member_kind is MemberKind.REFERENCE:
            yield _wrong(
                each, "targetObject", "what is named by Reference needs the UUID it is registered by"
            )
