"""What the registered documents of the store say: one submission as a campus sends it, by the code that
registers.
"""

from __future__ import annotations

from typing import Any

from consortium.documents import columns, store
from consortium.documents.model import (
    Association,
    AssociationType,
    Author,
    Code,
    DocumentEntry,
    MemberKind,
    PatientId,
    SubmissionSet,
)

CONSORTIUM = "1.2.156.10011.99.0"
_WHOM = PatientId("", CONSORTIUM)
_AUTHOR = Author(
    "D1^张^珅^^^^^^&1.2.156.10011.99.2&ISO", ("黄埔院区^^^^^^^^^1.2.156.10011.99.2",), ("主治医师",)
)
_ENTRY = DocumentEntry(
    entry_uuid="",
    unique_id="",
    patient_id=_WHOM,
    title="出院小结",
    mime_type="text/xml",
    class_code=Code("discharge", f"{CONSORTIUM}.21", "出院"),
    type_code=Code("C0053", "2.16.156.10011.2.4", "出院小结"),
    format_code=Code("wst500-cda", f"{CONSORTIUM}.23", "WS/T 500 共享文档 (HL7 CDA R2)"),
    facility_type_code=Code("tertiary-hospital", f"{CONSORTIUM}.24", "三级医院"),
    practice_setting_code=Code("03", f"{CONSORTIUM}.25", "内科"),
    confidentiality_codes=(Code("N", "2.16.840.1.113883.5.25", "一般"),),
    authors=(_AUTHOR,),
    creation_time="20191120093000",
    language_code="zh-CN",
    hash="da39a3ee5e6b4b0d3255bfef95601890afd80709",
    size=4096,
    repository_unique_id=f"{CONSORTIUM}.1",
)
_SET = SubmissionSet(
    entry_uuid="",
    unique_id="",
    patient_id=_WHOM,
    title="出院资料",
    source_id="1.2.156.10011.99.2",
    submission_time="20191120093100",
    content_type_code=Code("inpatient", f"{CONSORTIUM}.26", "住院"),
    authors=(_AUTHOR,),
)
_MEMBER = Association(
    entry_uuid="",
    type=AssociationType.HAS_MEMBER,
    source="",
    target="",
    member_kind=MemberKind.ORIGINAL,
)


def registered() -> dict[str, Any]:
    """Return the columns and the metadata by the names that `visits.sql` has for them."""
    entry = columns.of_document(_ENTRY)
    return {
        "class": entry["class_code"],
        "type": entry["type_code"],
        "format": entry["format_code"],
        "facility_type": entry["facility_type_code"],
        "practice": entry["practice_setting_code"],
        "confidentiality": entry["confidentiality_codes"],
        "authors": entry["author_persons"],
        "content_type": columns.of_submission_set(_SET)["content_type_code"],
        "entry": store.DOCUMENT.dump_python(_ENTRY, mode="json", exclude_defaults=True),
        "set": store.SUBMISSION_SET.dump_python(_SET, mode="json", exclude_defaults=True),
        "member": store.ASSOCIATION.dump_python(_MEMBER, mode="json", exclude_defaults=True),
    }
