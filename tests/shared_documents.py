"""Shared documents as a campus submits them: codes of the affinity domain, Chinese titles and authors."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from consortium.documents.model import (
    Association,
    AssociationType,
    Author,
    Code,
    DocumentEntry,
    Folder,
    MemberKind,
    PatientId,
    Submission,
    SubmissionSet,
)

CONSORTIUM = "1.2.156.10011.99.0"
CLASS, TYPE = Code("discharge", f"{CONSORTIUM}.21", "出院"), Code("C0053", "2.16.156.10011.2.4", "出院小结")
FORMAT = Code("wst500-cda", f"{CONSORTIUM}.23", "WS/T 500 共享文档 (HL7 CDA R2)")
NORMAL = Code("N", "2.16.840.1.113883.5.25", "一般")
HOSPITAL = Code("tertiary-hospital", f"{CONSORTIUM}.24", "三级医院")
MEDICINE = Code("03", f"{CONSORTIUM}.25", "内科")
INPATIENT = Code("inpatient", f"{CONSORTIUM}.26", "住院")
EPISODE = Code("episode", f"{CONSORTIUM}.27", "一次就诊")
AUTHOR = Author(
    "D1^张^珅^^^^^^&1.2.156.10011.99.2&ISO", ("黄埔院区^^^^^^^^^1.2.156.10011.99.2",), ("主治医师",)
)
_numbers = itertools.count(1)


def oid() -> str:
    """Return a unique id that no other document, set or folder of the run has."""
    return f"1.2.156.10011.99.2.7.{next(_numbers)}"


def entry(patient: PatientId, **changed: Any) -> DocumentEntry:
    """Return what is said of a document; `changed` replaces fields."""
    made = DocumentEntry(
        entry_uuid=f"Document{next(_numbers)}",
        unique_id=oid(),
        patient_id=patient,
        title="出院小结：欧阳珅",
        mime_type="text/xml",
        class_code=CLASS,
        type_code=TYPE,
        format_code=FORMAT,
        facility_type_code=HOSPITAL,
        practice_setting_code=MEDICINE,
        confidentiality_codes=(NORMAL,),
        authors=(AUTHOR,),
        creation_time="20261120093000",
        language_code="zh-CN",
        source_patient_id=PatientId("HP000123", "1.2.156.10011.99.2"),
        source_patient_info=("PID-5|欧阳^珅",),
    )
    return replace(made, **changed)


def submission(
    *documents: DocumentEntry,
    patient: PatientId | None = None,
    folders: tuple[Folder, ...] = (),
    more: tuple[Association, ...] = (),
) -> Submission:
    """Return a submission with its set, which has every document and folder as a member."""
    whose = patient or documents[0].patient_id
    made = SubmissionSet(
        entry_uuid="SubmissionSet",
        unique_id=oid(),
        patient_id=whose,
        title="出院资料",
        source_id="1.2.156.10011.99.2",
        submission_time="20261120093100",
        content_type_code=INPATIENT,
        authors=(AUTHOR,),
    )
    members = tuple(
        Association(
            entry_uuid=f"Member{next(_numbers)}",
            type=AssociationType.HAS_MEMBER,
            source=made.entry_uuid,
            target=one.entry_uuid,
            member_kind=MemberKind.ORIGINAL,
        )
        for one in (*documents, *folders)
    )
    return Submission(made, documents, folders, (*members, *more))


def related(source: DocumentEntry, target: str, how: AssociationType) -> Association:
    """Return the relation of a document to one that is registered."""
    return Association(
        entry_uuid=f"Relation{next(_numbers)}", type=how, source=source.entry_uuid, target=target
    )
