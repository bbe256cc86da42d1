"""Minimal metadata (MHD 4.2 §1:33.2.2) completed: what it does not say is said as *not stated*."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from consortium.documents.affinity import AffinityDomain
from consortium.documents.model import Code, DocumentEntry, dtm

LANGUAGE = "zh-CN"


def filled(entry: DocumentEntry, domain: AffinityDomain, now: datetime) -> DocumentEntry:
    """Return the entry with every attribute that the registry needs; those that are said stay."""

    def stated(code: Code, name: str, value: str) -> Code:
        return code if code.code else domain.code(name, value)

    kind = stated(entry.type_code, "type", "other")
    concept = domain.concept("type", kind)
    return replace(
        entry,
        type_code=kind,
        class_code=stated(entry.class_code, "class", (concept and concept.class_) or "other"),
        format_code=stated(entry.format_code, "format", "urn:ihe:iti:xds:2017:mimeTypeSufficient"),
        facility_type_code=stated(entry.facility_type_code, "facility_type", "other"),
        practice_setting_code=stated(entry.practice_setting_code, "practice_setting", "00"),
        confidentiality_codes=entry.confidentiality_codes or (domain.code("confidentiality", "N"),),
        creation_time=entry.creation_time or dtm(now),
        language_code=entry.language_code or LANGUAGE,
        source_patient_id=entry.source_patient_id or entry.patient_id,
        limited_metadata=True,
    )
