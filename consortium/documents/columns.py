"""What of an object is searched for: the same values for the tables and for matching without them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from consortium.documents.hl7types import instant
from consortium.documents.model import (
    Author,
    Availability,
    Code,
    DocumentEntry,
    Folder,
    ObjectType,
    SubmissionSet,
)

STATUS: Mapping[Availability, str] = {
    Availability.APPROVED: "approved",
    Availability.DEPRECATED: "deprecated",
}
OBJECT_TYPE: Mapping[ObjectType, str] = {ObjectType.STABLE: "stable", ObjectType.ON_DEMAND: "on_demand"}


def coded(code: Code) -> str:
    """Write a code as queries do."""
    return f"{code.code}^^{code.scheme}"


def of_document(each: DocumentEntry) -> dict[str, Any]:
    """Return the searched values of a document."""
    return {
        "status": STATUS[each.availability],
        "object_type": OBJECT_TYPE[each.object_type],
        "class_code": coded(each.class_code),
        "type_code": coded(each.type_code),
        "format_code": coded(each.format_code),
        "facility_type_code": coded(each.facility_type_code),
        "practice_setting_code": coded(each.practice_setting_code),
        "confidentiality_codes": _coded(each.confidentiality_codes),
        "event_codes": _coded(each.event_codes),
        "reference_ids": list(each.reference_ids),
        "author_persons": _persons(each.authors),
        "creation_time": instant(each.creation_time or ""),
        "service_start_time": instant(each.service_start_time or ""),
        "service_stop_time": instant(each.service_stop_time or ""),
    }


def of_submission_set(each: SubmissionSet) -> dict[str, Any]:
    """Return the searched values of a submission set."""
    return {
        "status": STATUS[each.availability],
        "source_id": each.source_id,
        "submission_time": instant(each.submission_time),
        "content_type_code": coded(each.content_type_code),
        "author_persons": _persons(each.authors),
    }


def of_folder(each: Folder) -> dict[str, Any]:
    """Return the searched values of a folder."""
    return {
        "status": STATUS[each.availability],
        "codes": _coded(each.codes),
        "last_update_time": instant(each.last_update_time or ""),
    }


def _coded(codes: Iterable[Code]) -> list[str]:
    return [coded(each) for each in codes]


def _persons(authors: Iterable[Author]) -> list[str]:
    return [each.person for each in authors if each.person]
