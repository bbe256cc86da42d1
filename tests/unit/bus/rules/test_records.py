"""Leaves that ask the consortium's records."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from bus.rules.decision import Decision
from bus.rules.lint import lint
from bus.rules.records import GivenRecords
from bus.rules.ruleset import RuleSet
from bus.rules.trial import run_tests
from bus.sources.rows import RowSource
from bus.sources.source import Envelope
from tests.unit.bus.rules.test_ruleset import RULE, change, folder, hold

LEAF = "{record: encounter, number: visit, field: department.name}"
VISIT = {
    "number": "V1",
    "department": {"code": "0101", "name": "心内科"},
    "start": datetime(2026, 11, 20, 8, 30, tzinfo=UTC),
}
KNOWN: dict[str, dict[str, dict[str, Any]]] = {
    "encounter": {"V1": VISIT, "V2": {"number": "V2", "department": {"code": None, "name": None}}},
    "patient": {"1": {"number": "1", "birth_date": date(1980, 2, 29), "sex": "female", "deceased": False}},
}


def with_leaf(tmp_path: Path, field: str, leaf: str, more: str = "") -> Path:
    return folder(tmp_path, RULE.split("    name: name")[0] + f"    {field}: {leaf}\n{more}")


def decide(rules: Path, row: dict[str, Any], known: Any = KNOWN) -> Decision:
    source = RowSource({"no": "1", **row}, Envelope("HY", "", "table:patient"))
    return RuleSet.load(rules).decide(source, "HY", "table:patient", GivenRecords(known))


def test_a_value_comes_from_the_record_of_that_number(tmp_path: Path) -> None:
    rules = with_leaf(tmp_path, "address", LEAF)
    found = decide(rules, {"visit": "V1"})
    assert change(found).patient.address == "心内科"
    assert found.enriched


@pytest.mark.parametrize("row", [{}, {"visit": "V2"}, {"visit": "V9"}])
def test_what_the_records_do_not_have_is_absent_or_the_default(tmp_path: Path, row: dict[str, str]) -> None:
    rules = with_leaf(tmp_path, "address", LEAF)
    assert change(decide(rules, row)).patient.address is None
    rules = with_leaf(tmp_path / "with", "address", LEAF.replace("}", ", default: 不详}"))
    assert change(decide(rules, row)).patient.address == "不详"


def test_a_message_is_held_where_the_record_is_required(tmp_path: Path) -> None:
    rules = with_leaf(tmp_path, "address", LEAF.replace("}", ", required: true}"))
    held = hold(decide(rules, {"visit": "V9"}))
    assert (held.code, held.step, held.field) == ("unknown_record", "record encounter", "visit")
    assert "V9" not in held.reason


@pytest.mark.parametrize(
    ("field", "asked", "value"),
    [
        ("birth_date", "{record: patient, number: no, field: birth_date}", date(1980, 2, 29)),
        ("sex", "{record: patient, number: no, field: sex}", "female"),
        ("deceased", "{record: patient, number: no, field: deceased}", False),
        ("address", "{record: encounter, number: visit, field: start}", "2026-11-20T08:30:00+00:00"),
    ],
)
def test_a_value_keeps_its_type_and_becomes_text_where_text_is_needed(
    tmp_path: Path, field: str, asked: str, value: object
) -> None:
    found = change(decide(with_leaf(tmp_path, field, asked), {"visit": "V1"})).patient
    assert getattr(found, field) == value


def test_a_record_is_asked_for_once_in_a_message(tmp_path: Path) -> None:
    asked: list[tuple[str, str, str]] = []

    class Counting(GivenRecords):
        def find(self, facility: str, kind: str, number: str) -> Any:
            asked.append((facility, kind, number))
            return super().find(facility, kind, number)

    leaf = f"{{first: [{LEAF.replace('department.name', 'bed')}, {LEAF}]}}"
    source = RowSource({"no": "1", "visit": "V1"}, Envelope("HY", "", "table:patient"))
    rules = RuleSet.load(with_leaf(tmp_path, "address", leaf))
    assert change(rules.decide(source, "HY", "table:patient", Counting(KNOWN))).patient.address == "心内科"
    assert asked == [("HY", "encounter", "V1")]


def test_a_decision_without_records_is_not_enriched(tmp_path: Path) -> None:
    assert not decide(with_leaf(tmp_path, "address", "street"), {"street": "天河路"}).enriched


@pytest.mark.parametrize(
    ("leaf", "reason"),
    [
        (LEAF.replace("department.name", "ward"), "encounter has no field 'ward'; it has number"),
        (LEAF.replace("department.name", "department"), "encounter.department is an object: name one of"),
        (LEAF.replace("department.name", "department.name.x"), "encounter.department.name has no field 'x'"),
    ],
)
def test_the_linter_knows_what_a_record_has(tmp_path: Path, leaf: str, reason: str) -> None:
    rules = with_leaf(tmp_path, "address", leaf)
    [found] = [one for one in lint(rules).findings if one.code == "unknown-field"]
    assert reason in found.message
    assert (found.file, found.line) == ("campuses/huiya/10-patient.yaml", 10)


def test_a_rules_test_gives_its_own_records(tmp_path: Path) -> None:
    tests = """tests:
  - name: the department is the visit's
    given: {type: "table:patient", json: {no: "1", visit: V1}}
    records: {encounter: {V1: {department: {name: 心内科}}}}
    expect: {change: {patient: {address: 心内科}}}
  - name: a visit that is not known
    given: {type: "table:patient", json: {no: "1", visit: V1}}
    expect: {change: {patient: {address: 心内科}}}
"""
    first, second = run_tests(RuleSet.load(with_leaf(tmp_path, "address", LEAF, tests)))
    assert first.differences == ()
    assert second.differences == ("change.patient.address: expected '心内科', got None",)
