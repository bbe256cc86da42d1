"""Entries of code tables with dates, relationship and owner."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from bus.rules.code_files import load_tables
from bus.rules.codes import CodeTable, Target
from bus.rules.day import day_of
from bus.rules.decision import HoldingError
from bus.rules.leaves import TEXT, lookup_leaf
from bus.rules.marks import RuleError
from bus.rules.records import NOTHING_KNOWN
from bus.rules.run import Run
from bus.rules.spec import PathLeaf
from bus.sources.rows import parse_rows
from bus.sources.source import Envelope

HEADER = "facility,code,target,name,system,valid_from,valid_to,relationship,owner\n"
RECEIVED = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)


def read(tmp_path: Path, rows: str, header: str = HEADER) -> tuple[CodeTable, list[RuleError]]:
    (tmp_path / "codes").mkdir(exist_ok=True)
    (tmp_path / "codes" / "items.csv").write_text(header + rows, encoding="utf-8")
    errors: list[RuleError] = []
    return load_tables(tmp_path, errors)["items"], errors


def meaning(table: CodeTable, code: str, on: str) -> str | None:
    found = table.find("MAIN", code, date.fromisoformat(on))
    return found.code if found else None


def test_an_open_period_ends_where_the_next_of_the_code_begins(tmp_path: Path) -> None:
    table, errors = read(
        tmp_path, "MAIN,K,old,,,,,,\nMAIN,K,new,,,2026-01-01,2026-06-30,,\n*,K,all,,,2026-09-01,,,\n"
    )
    assert not errors
    days = ("2025-12-31", "2026-01-01", "2026-06-30", "2026-07-01", "2026-09-01")
    assert [meaning(table, "K", day) for day in days] == ["old", "new", "new", None, "all"]


def test_absent_columns_mean_always_and_equivalent(tmp_path: Path) -> None:
    table, _ = read(tmp_path, "MAIN,K,one,,\n", "facility,code,target,name,system\n")
    assert not table.has_dates
    assert table.always("MAIN", "K") == Target("one", None, None)


def test_relationship_and_owner_need_no_dates(tmp_path: Path) -> None:
    header = "facility,code,target,name,system,owner,relationship\n"
    table, errors = read(tmp_path, "MAIN,K,one,,,检验科,wider\n", header)
    assert not errors
    assert not table.has_dates
    assert table.always("MAIN", "K") == Target("one", None, None, relationship="wider", owner="检验科")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("MAIN,K,a,,,2026-02-30,,,\n", "codes/items.csv:2:12: valid_from '2026-02-30' is no day"),
        ('MAIN,K,"a,b",,,,soon,,\n', "codes/items.csv:2:17: valid_to 'soon' is no day"),
        ("MAIN,K,a,,,2026-02-01,2026-01-31,,\n", "codes/items.csv:2:23: it ends on 2026-01-31, before"),
        ("MAIN,K,a,,,,,alike,\n", "codes/items.csv:2:14: 'alike' is no relationship: write equivalent"),
        (
            "MAIN,K,a,,,,2026-01-31,,\nMAIN,K,b,,,2026-01-31,,,\n",
            "codes/items.csv:3:12: MAIN K holds to 2026-01-31, and again from 2026-01-31",
        ),
        ("MAIN,K,a,,,,2026-01-31,,\nMAIN,K,b,,,,,,\n", "codes/items.csv:3:6: MAIN K is in this table twice"),
    ],
)
def test_a_mistake_is_named_by_file_line_and_column(tmp_path: Path, rows: str, said: str) -> None:
    _, errors = read(tmp_path, rows)
    assert [str(error)[: len(said)] for error in errors] == [said]


@pytest.mark.parametrize("more", [",valid_until", ",owner,owner"])
def test_an_unknown_column_is_refused(tmp_path: Path, more: str) -> None:
    _, errors = read(tmp_path, "", f"facility,code,target,name,system{more}\n")
    assert "may go on with valid_from, valid_to, relationship, owner" in str(errors[0])


def test_what_is_mapped_corrects_the_period_that_begins_on_the_same_day() -> None:
    table, key = CodeTable("items", {}), ("MAIN", "K")
    table.add(key, Target("always", None, None))
    assert (table.has_dates, meaning(table, "K", "2026-01-01")) == (False, "always")
    table.add(key, Target("new", None, None, date(2026, 7, 1)))
    assert [meaning(table, "K", day) for day in ("2026-06-30", "2026-07-01")] == ["always", "new"]
    table.add(key, Target("between", None, None, date(2026, 5, 1)))
    assert [meaning(table, "K", day) for day in ("2026-04-30", "2026-06-30")] == ["always", "between"]
    table.add(key, Target("always", None, None, None, date(2026, 3, 31)))
    assert [meaning(table, "K", day) for day in ("2026-03-31", "2026-04-01")] == ["always", None]


def test_an_ended_addition_that_is_mapped_without_dates_holds_always_again() -> None:
    table, key = CodeTable("items", {}), ("MAIN", "K")
    table.add(key, Target("a", None, None, None, date(2026, 3, 31)))
    table.add(key, Target("a", None, None))
    assert (table.has_dates, meaning(table, "K", "2026-04-01")) == (False, "a")


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("20260115235900", date(2026, 1, 15)),
        ("20260115235900+0000", date(2026, 1, 16)),
        ("2026-01-15T08:00:00+08:00", date(2026, 1, 15)),
        ("2026", date(2026, 3, 2)),
        (None, date(2026, 3, 2)),
    ],
)
def test_the_day_is_the_messages_own_or_that_of_its_receipt(written: str | None, day: date) -> None:
    assert day_of(written, RECEIVED) == day


def test_a_code_outside_its_days_is_a_miss_that_says_when_it_holds() -> None:
    table = CodeTable("items", {}, dated={("MAIN", "K"): (Target("a", None, None, date(2026, 2, 1)),)})
    leaf = lookup_leaf(PathLeaf(path="code", lookup="items"), table, TEXT, "text")
    source = parse_rows('{"code": "K"}', Envelope("MAIN", "LIS", "json:x"))
    later = Run("MAIN", NOTHING_KNOWN, lambda: date(2026, 2, 1))
    assert leaf(later, source) == "a"
    earlier = Run("MAIN", NOTHING_KNOWN, lambda: date(2026, 1, 31))
    with pytest.raises(HoldingError) as held:
        leaf(earlier, source)
    assert "MAIN on 2026-01-31, but from 2026-02-01 (a); map it" in held.value.hold.reason
    assert [miss.code for miss in earlier.misses] == ["K"]


def test_a_table_without_dates_asks_for_no_day() -> None:
    def never() -> date:
        raise AssertionError("asked for the day")

    leaf = lookup_leaf(
        PathLeaf(path="code", lookup="items"),
        CodeTable("items", {("MAIN", "K"): Target("a", None, None)}),
        TEXT,
        "text",
    )
    source = parse_rows('{"code": "K"}', Envelope("MAIN", "LIS", "json:x"))
    assert leaf(Run("MAIN", NOTHING_KNOWN, never), source) == "a"
