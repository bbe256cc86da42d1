"""OBR and OBX of reports (HL7 v2.5 chapter 7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from bus.hl7.build import components, subcomponents
from bus.hl7.writing.fields import Segment, coded, number, segment, staff, staff_ndl, text, time
from consortium.records.model import Report, Result

STATUSES = {"preliminary": "P", "final": "F", "corrected": "C", "cancelled": "X"}
"""HL7 tables 0123 and 0085."""
DELETED = "D"
"""Table 0085: an item entered in error."""
FLAGS = {
    "normal": "N",
    "low": "L",
    "high": "H",
    "abnormal": "A",
    "critical_low": "LL",
    "critical_high": "HH",
    "critical": "AA",
}
"""HL7 table 0078."""
SECTIONS = {"lab": "LAB", "nursing": "NRS", "midwifery": "MID", "checkup": "CHK"}
"""HL7 table 0074; midwifery and check-ups are the consortium's own. Examinations say their modality."""
FINDINGS = components("FINDINGS", "检查所见", "L")
IMPRESSION = components("IMPRESSION", "诊断意见", "L")


def reports(found: tuple[Report, ...]) -> Iterator[Segment]:
    """Give OBR and the OBX of each report."""
    for rank, report in enumerate(found, 1):
        yield _obr(rank, report)
        yield from _obx(report)


def _obr(rank: int, report: Report) -> Segment:
    status = "X" if report.deleted else STATUSES[report.status]
    return segment(
        "OBR",
        {
            1: str(rank),
            2: text(report.order_number),
            3: text(report.number),
            4: coded(report.item),
            15: _specimen(report),
            16: staff(report.doctor),
            22: time(report.issued_at),
            24: SECTIONS.get(report.kind) or text(report.modality or "RAD"),
            25: status,
            32: staff_ndl(report.author),
        },
    )


def _specimen(report: Report) -> str:
    """Return SPS (HL7 v2.5 section 2.A.68): the specimen's code, name and system."""
    kind = report.specimen
    return subcomponents(kind.code, kind.name or "", kind.system or "") if kind else ""


def _obx(report: Report) -> Iterator[Segment]:
    rank = 0
    times: Counter[str] = Counter()
    for result in report.results:
        rank += 1
        times[result.item.code] += 1
        yield _result(rank, result, times[result.item.code])
    for name, said in ((FINDINGS, report.findings), (IMPRESSION, report.conclusion)):
        if said:
            rank += 1
            status = STATUSES[report.status]
            yield segment("OBX", {1: str(rank), 2: "TX", 3: name, 5: text(said), 11: status})


def _result(rank: int, result: Result, occurrence: int) -> Segment:
    numeric = result.number is not None and number(result.number) == result.value
    return segment(
        "OBX",
        {
            1: str(rank),
            2: "NM" if numeric else "ST",
            3: coded(result.item),
            4: text(result.sub_id) or (str(occurrence) if occurrence > 1 else ""),
            5: text(result.value),
            6: text(result.unit),
            7: text(result.reference_range),
            8: FLAGS.get(result.flag or "", ""),
            11: DELETED if result.deleted else STATUSES[result.status],
            14: time(result.observed_at),
        },
    )
