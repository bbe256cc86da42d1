"""The reviewed files of working time, and what is wrong with one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from bus.rules import calendars
from consortium.scheduling.calendar_file import CalendarFileError, load, span
from runtime.settings import CHECKOUT

KEPT: dict[str, Any] = yaml.safe_load((CHECKOUT / "rules/calendars/consortium.yaml").read_text("utf-8"))


def written(folder: Path, content: object) -> Path:
    (folder / "calendars").mkdir()
    text = content if isinstance(content, str) else yaml.safe_dump(content, allow_unicode=True)
    (folder / "calendars" / "consortium.yaml").write_text(text, encoding="utf-8")
    return folder


Change = Callable[[dict[str, Any]], object]

WRONG: list[tuple[Change, str]] = [
    (lambda f: f["years"][0]["make_up"].append("2026-02-16"), "both off and made up for: 2026-02-16"),
    (lambda f: f["years"][0]["make_up"].append("2026-11-25"), "falls on a weekend"),
    (lambda f: f["years"][0]["make_up"].append("2026-01-04"), "made up for twice: 2026-01-04"),
    (lambda f: f["years"][0]["holidays"][0].update({"to": "2025-12-31"}), "ends before it begins"),
    (lambda f: f["years"][0]["holidays"][1].update({"from": "2026-01-03"}), "off twice: 2026-01-03"),
    (lambda f: f["years"][0]["holidays"][0].update({"from": "2025-12-31"}), "is not in 2026"),
    (lambda f: f["years"][0].pop("source"), "source"),
    (lambda f: f["years"][0].update(status="guessed"), "official"),
    (lambda f: f["years"].pop(0) and f["years"].append(KEPT["years"][0]), "without a gap"),
    (lambda f: f["hours"].pop("*"), "hours lack"),
    (lambda f: f["hours"]["NS"].update(mon=["08:00-12:00", "11:00-13:00"]), "must not overlap"),
    (lambda f: f["hours"]["NS"].update(mon=["14:00-12:00"]), "not a span"),
    (lambda f: f["hours"].update(HP={"make_up": ["08:00-12:00"]}), "no day of the week"),
    (lambda f: f.update(zone="Asia/Atlantis"), "no time zone Asia/Atlantis"),
    (lambda f: f.update(name="other"), "name it as its file"),
]


@pytest.mark.parametrize(("change", "told"), WRONG)
def test_a_mistake_is_told_with_its_file(tmp_path: Path, change: Change, told: str) -> None:
    content = copy.deepcopy(KEPT)
    change(content)
    rules = written(tmp_path, content)
    with pytest.raises(CalendarFileError, match=told):
        load(rules)
    (found,) = calendars.mistakes(rules)
    assert (found.file, found.code) == ("calendars/consortium.yaml", "working-calendar")


@pytest.mark.parametrize("text", ["years: [", "just text"])
def test_what_is_no_calendar_at_all_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(CalendarFileError, match=r"calendars.consortium\.yaml"):
        load(written(tmp_path, text))


def test_a_missing_file_is_told_and_the_one_here_is_right(tmp_path: Path) -> None:
    with pytest.raises(CalendarFileError, match="is missing"):
        load(tmp_path)
    assert list(calendars.mistakes(tmp_path)) == []
    assert list(calendars.mistakes(CHECKOUT / "rules")) == []


def test_a_day_may_end_at_midnight() -> None:
    assert span("00:00-24:00") == (0, 1440)
    for wrong in ("24:00-24:30", "12:00-24:30", "8:00-12:00", "12:60-13:00"):
        with pytest.raises(ValueError, match="span"):
            span(wrong)
