"""Whether one report spares a repeat: pure decisions on rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from consortium.recognition.catalogue import Item, Quality

Row = Mapping[str, Any]
Reason = Literal["status", "campus", "expired", "critical", "no_result"]
CRITICAL = ("critical_low", "critical_high", "critical")


@dataclass(frozen=True, slots=True)
class Judged:
    """One report of a planned item."""

    report_id: UUID
    facility: str
    number: str
    at: datetime
    """When it was issued; else its clinical time."""
    valid_until: datetime
    reasons: tuple[Reason, ...]
    """Why it does not spare the repeat; empty: it does."""

    @property
    def recognised(self) -> bool:
        """Whether it spares the repeat."""
        return not self.reasons


def judge(item: Item, quality: Quality, report: Row, results: Sequence[Row], now: datetime) -> Judged:
    """Judge a report with its results, which must be those of `item`."""
    at: datetime = report["issued_at"] or report["at"]
    until = at + timedelta(days=item.valid_days)
    checks: tuple[tuple[Reason, bool], ...] = (
        ("status", report["status"] in quality.statuses),
        ("campus", report["facility"] not in quality.without_campuses),
        ("expired", now < until),
        ("critical", quality.recognise_critical or not any(r["flag"] in CRITICAL for r in results)),
        ("no_result", bool(results or report["findings"] or report["conclusion"])),
    )
    reasons = tuple(reason for reason, fine in checks if not fine)
    return Judged(report["id"], report["facility"], report["number"], at, until, reasons)
