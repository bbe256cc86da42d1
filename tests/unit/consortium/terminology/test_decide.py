"""What an import changes, which periods fit, and what is in force on a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consortium.terminology.decide import (
    Difference,
    completed,
    dangling,
    in_force,
    misfits,
    plan,
    references,
)
from consortium.terminology.model import FIELDS, Entry, Kind

OLD = Entry(Kind.DEPARTMENT, "MAIN", "0102", "呼吸内科", date(2020, 1, 1))
NEW = replace(OLD, name="呼吸与危重症医学科", valid_from=date(2026, 1, 1))


def keyed(*entries: Entry) -> dict[tuple[str, str, date], Entry]:
    return {entry.key: entry for entry in entries}


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2019, 12, 31), None),
        (date(2020, 1, 1), OLD),
        (date(2025, 12, 31), OLD),
        (date(2026, 1, 1), NEW),
        (date(2999, 1, 1), NEW),
    ],
)
def test_an_open_period_holds_until_the_next_begins(day: date, expected: Entry | None) -> None:
    assert in_force([NEW, OLD], day) == expected


def test_a_period_holds_on_its_last_day_and_not_after() -> None:
    ended = replace(OLD, valid_to=date(2024, 6, 30))
    assert in_force([ended], date(2024, 6, 30)) == ended
    assert in_force([ended], date(2024, 7, 1)) is None
    assert in_force([ended, NEW], date(2025, 1, 1)) is None


def test_what_is_said_again_changes_nothing() -> None:
    found = plan(keyed(OLD, NEW), [OLD, NEW])
    assert (found.added, found.changed, found.unchanged) == ((), (), 2)


def test_a_difference_is_shown_field_by_field() -> None:
    told = replace(OLD, name="呼吸科", valid_to=date(2025, 12, 31), attributes={"type": "clinical"})
    before = replace(OLD, attributes={"phone": "1"})
    [changed] = plan(keyed(before), [told]).changed
    assert set(changed.differences) == {
        Difference("name", "呼吸内科", "呼吸科"),
        Difference("valid_to", None, "2025-12-31"),
        Difference("type", None, "clinical"),
        Difference("phone", "1", None),
    }


def test_what_a_file_has_no_column_for_stays() -> None:
    before = replace(OLD, valid_to=date(2025, 12, 31), attributes={"phone": "1", "type": "ward"})
    told = replace(OLD, attributes={})
    kept = completed(told, before, {"owner", "code", "name", "valid_from", "type"})
    assert kept == replace(before, attributes={"phone": "1"})
    assert completed(told, None, set()) == told


def test_periods_that_overlap_are_named() -> None:
    ended = replace(OLD, valid_to=date(2026, 1, 1))
    [problem] = misfits(keyed(ended), [NEW], {NEW.key: 7})
    assert (problem.line, problem.column) == (7, "valid_from")
    assert "holds to 2026-01-01, and again from 2026-01-01" in problem.message
    assert misfits(keyed(OLD), [NEW], {}) == []
    assert misfits(keyed(ended, replace(NEW, owner="HP")), [replace(NEW, code="9")], {}) == []


def test_a_reference_to_nothing_is_named() -> None:
    staff = Entry(
        Kind.STAFF, "MAIN", "1001", "周明", date(2020, 1, 1), None, {"department": "0102", "role": "doctor"}
    )
    for there in ({("MAIN", "0102")}, {("GROUP", "0102")}):
        assert list(dangling([staff], {Kind.DEPARTMENT: there}, {})) == []
    [problem] = dangling([staff], {Kind.DEPARTMENT: {("HP", "0102")}}, {staff.key: 3})
    assert (problem.line, problem.column) == (3, "department")
    assert references(Kind.STAFF) == (Kind.DEPARTMENT,)


def test_every_kind_has_fields_with_names_of_their_own() -> None:
    for fields in FIELDS.values():
        names = [field.name for field in fields]
        assert len(names) == len(set(names))


DAYS = st.dates(date(2000, 1, 1), date(2030, 1, 1))


@given(st.dictionaries(DAYS, st.none() | st.integers(0, 2000), max_size=6), DAYS)
def test_at_most_one_period_that_fits_holds_on_a_day(periods: dict[date, int | None], day: date) -> None:
    entries = [
        replace(OLD, valid_from=since, valid_to=None if days is None else since + timedelta(days=days))
        for since, days in periods.items()
    ]
    if misfits({}, entries, {}):
        return
    closed = [e for e in entries if e.valid_to and e.valid_from <= day <= e.valid_to]
    assert len(closed) <= 1
    found = in_force(entries, day)
    if closed:
        assert found == closed[0]
    assert found is None or found.valid_from <= day
