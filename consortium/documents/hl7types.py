"""The HL7 v2 data types that metadata is written in (ITI TF-3 §4.2.3.1.7), checked strictly."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from consortium.documents.model import PatientId

OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
OID_LENGTH = 64
_CX = re.compile(r"(?P<number>[^^&|~]+)\^\^\^&(?P<authority>[0-9.]+)&ISO(\^[A-Za-z0-9:_.]*)*")
_DTM = re.compile(r"[0-9]{4}([0-9]{2}){0,5}")
_DTM_EARLIEST = "00000101000000"
_FULL = len(_DTM_EARLIEST)


def is_oid(text: str) -> bool:
    """Whether it is an OID of at most 64 characters."""
    return len(text) <= OID_LENGTH and OID.fullmatch(text) is not None


def patient_id(text: str) -> PatientId | None:
    """Read `number^^^&oid&ISO`; None when it is no such CX."""
    found = _CX.fullmatch(text)
    if found is None or not is_oid(found["authority"]):
        return None
    return PatientId(found["number"], found["authority"])


def instant(text: str) -> datetime | None:
    """Return the first second that a DTM (YYYY[MM[DD[hh[mm[ss]]]]], UTC) may mean; None when it is none."""
    if _DTM.fullmatch(text) is None:
        return None
    try:
        return datetime.strptime(text + _DTM_EARLIEST[len(text) : _FULL], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
