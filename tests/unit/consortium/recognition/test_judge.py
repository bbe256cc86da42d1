"""Which report spares a repeat."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from consortium.recognition.catalogue import PATH, CatalogueError, Item, Quality, load
from consortium.recognition.judge import judge
from runtime.settings import CHECKOUT

NOW = datetime(2026, 11, 20, tzinfo=UTC)
BLOOD = Item(code="58410-2", system="http://loinc.org", name="血常规", kind="lab", valid_days=3)
GOOD = {
    "id": UUID(int=1),
    "facility": "HP",
    "number": "L1",
    "issued_at": NOW - timedelta(days=1),
    "at": NOW,
    "status": "final",
    "findings": None,
    "conclusion": None,
}


def reasons(quality: Quality = Quality(), flag: str | None = None, **said: Any) -> tuple[str, ...]:  # noqa: B008
    return judge(BLOOD, quality, GOOD | said, [{"flag": flag}], NOW).reasons


def test_a_recent_final_report_spares_the_repeat() -> None:
    assert reasons() == ()
    assert reasons(flag="high", status="corrected") == ()


@pytest.mark.parametrize("status", ["preliminary", "cancelled"])
def test_a_report_that_is_not_final_does_not(status: str) -> None:
    assert reasons(status=status) == ("status",)


def test_it_counts_from_issue_to_the_last_moment() -> None:
    assert reasons(issued_at=NOW - timedelta(days=3)) == ("expired",)
    assert reasons(issued_at=NOW - timedelta(days=3) + timedelta(seconds=1)) == ()
    assert reasons(issued_at=None, at=NOW - timedelta(days=4)) == ("expired",)


def test_a_critical_value_is_looked_at_again() -> None:
    assert reasons(flag="critical_high") == ("critical",)
    assert reasons(Quality(recognise_critical=True), flag="critical_high") == ()


def test_a_campus_outside_the_programme_is_not_recognised() -> None:
    assert reasons(Quality(without_campuses=("HP",))) == ("campus",)


def test_a_report_without_anything_in_it_spares_nothing() -> None:
    assert judge(BLOOD, Quality(), GOOD, [], NOW).reasons == ("no_result",)
    assert judge(BLOOD, Quality(), GOOD | {"conclusion": "未见异常"}, [], NOW).recognised


def test_the_file_of_the_repository_is_sound() -> None:
    catalogue = load(CHECKOUT / "rules")
    assert catalogue.find("58410-2", "http://loinc.org") == BLOOD
    assert catalogue.find("58410-2", None) == BLOOD
    assert catalogue.find("58410-2", "urn:oid:1.2.3") is None


@pytest.mark.parametrize(
    "text",
    [
        "items: [",
        "version: 1",
        "version: '1'\nitems: [{code: A, name: a, kind: lab, valid_days: 0}]",
        "version: '1'\nitems: [{code: A, name: a, kind: lab, valid_days: 1},"
        " {code: A, name: b, kind: lab, valid_days: 1}]",
    ],
)
def test_a_file_that_cannot_be_used_says_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "codes").mkdir()
    (tmp_path / PATH).write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueError, match="mutual-recognition"):
        load(tmp_path)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="missing"):
        load(tmp_path)
