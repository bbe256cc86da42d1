from collections import Counter
from datetime import date

import pytest

from simulators.huiya.day import EDITS, day
from simulators.huiya.tables import KEYS
from simulators.main_campus.day import MESSAGES
from simulators.people import DEMO

TODAY = date(2026, 11, 20)
DAY = day(7, TODAY)


def test_the_same_seed_and_day_are_the_same_edits():
    assert day(7, TODAY) == DAY
    assert day(8, TODAY) != DAY


@pytest.mark.parametrize("scale", [1.0, 3.0, 10.0])
def test_the_volume_is_in_ratio_to_the_main_campus(scale):
    assert len(day(7, TODAY, scale)) == round(EDITS * scale)
    assert pytest.approx(1.2 / 85, rel=0.02) == EDITS / MESSAGES


def test_every_table_is_filled_and_rows_are_corrected_taken_back_and_removed():
    assert {edit.table for edit in DAY} == set(KEYS)
    assert any(edit.phase == 1 for edit in DAY)
    assert any(edit.row is not None and edit.row.get("is_deleted") == 1 for edit in DAY)
    assert [edit.table for edit in DAY if edit.row is None] == ["charge"]


@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_a_later_phase_changes_only_rows_that_are_there(scale):
    there: set[tuple[str, str]] = set()
    for edit in day(7, TODAY, scale):
        if edit.phase == 0:
            assert (edit.table, edit.key) not in there
            there.add((edit.table, edit.key))
        else:
            assert (edit.table, edit.key) in there


def test_the_clock_of_a_later_phase_is_later_in_every_table():
    days = day(7, TODAY, 20.0)
    for table in KEYS:
        stamps = [(edit.phase, edit.updated_at) for edit in days if edit.table == table]
        for phase in (1, 2):
            before = [at for p, at in stamps if p < phase]
            assert all(at > max(before) for p, at in stamps if p == phase)


def test_a_visit_comes_after_its_patient_and_a_result_after_its_order():
    order = [edit.key for edit in DAY if edit.table == "lab_order"]
    at = {(edit.table, edit.key): edit.updated_at for edit in DAY if edit.phase == 0}
    for edit in DAY:
        if edit.table == "visit" and edit.phase == 0:
            assert edit.row is not None
            assert at["patient", str(edit.row["patient_no"])] < edit.updated_at
        if edit.table == "lab_result" and edit.phase == 0:
            assert edit.row is not None
            assert edit.row["order_no"] in order
            assert at["lab_order", str(edit.row["order_no"])] < edit.updated_at


def test_every_impossible_date_is_known():
    assert Counter(edit.expect for edit in DAY) == {"recorded": EDITS - 2, "held:impossible_date": 2}


def test_the_demo_person_has_a_visit_a_result_and_a_report():
    of_demo = {edit.table for edit in DAY if edit.row and edit.row.get("patient_no") == DEMO.numbers["HY"]}
    assert of_demo == {"visit", "lab_order", "lab_result", "exam_report", "charge"}
