"""Paths in the shapes of destination files are checked as the message is that a rule sends there."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.rules.finding import Finding, Severity
from bus.rules.lint import lint
from bus.rules.lint_shapes import Read, canonical_mistake
from tests.unit.bus.rules.test_destinations import HOOK, REST, TABLES, WARD, rules
from tests.unit.bus.rules.test_lint import TESTED
from tests.unit.bus.rules.test_onward import ONWARD

FILES = """
name: lab-hook
description: a folder of the laboratory's
facility: GROUP
kind: files
place: lab
file: "{PID-3.1}-{control_id}.hl7"
"""
SENT = "destinations: [{{to: lab-hook, send: {form}}}]\n"


def found(tmp_path: Path, hook: str, form: str = "canonical", rule: str = TESTED) -> list[Finding]:
    made = rules(tmp_path, rule + SENT.format(form=form), WARD, hook)
    return [one for one in lint(made).of(Severity.ERROR) if one.code == "bad-path"]


def test_a_field_that_the_change_does_not_have_is_named_where_it_is_written(tmp_path: Path) -> None:
    hook = TABLES.replace("change.patient.name", "change.patient.nmae")
    [one] = found(tmp_path, hook)
    assert (one.file, one.line, one.column) == ("destinations/lab-hook.yaml", 9, 38)
    assert one.message == (
        "'change.patient.nmae': change.patient has no field 'nmae'; did you mean name?; correct the path, or"
        " send it otherwise than canonical"
    )


def test_paths_that_are_there_are_no_findings(tmp_path: Path) -> None:
    hook = TABLES.replace("columns:", "each: [change.reports, results]\ncolumns:").replace(
        "{no: change.patient.number, name: change.patient.name}",
        "{no: ^.number, name: ^.^.change.patient.name, code: {path: item.code}, of: ^.^.source.facility}",
    )
    assert found(tmp_path, hook) == []


@pytest.mark.parametrize(
    ("path", "inside", "said"),
    [
        ("change.patient.number", (), None),
        ("source.received_at", (), None),
        ("change.reports.0.results.1.value", (), None),
        ("contents.0", (), None),
        (".", ("contents",), None),
        ("value", ("change.reports", "results"), None),
        ("^.number", ("change.reports", "results"), None),
        ("name", ("change.patient",), None),
        ("chnage.patient.name", (), "what is sent has no field 'chnage'; did you mean change?"),
        ("PID-3.1", (), "what is sent has no field 'PID-3'; there are change, contents, source"),
        ("change.reports.number", (), "change.reports is a list: write each, or a number behind it"),
        ("change.reports", (), "change.reports is a list: write each"),
        ("change.patient", (), "change.patient is an object: name one of its fields, number, "),
        ("change", (), "change is an object: name one of its fields, kind, "),
        ("change.patient.name.family", (), "change.patient.name is a value and has no fields"),
        ("vaule", ("change.reports", "results"), "change.reports.results has no field 'vaule'"),
        ("^.^.^.change", ("change.reports", "results"), "^. stands outside each"),
    ],
)
def test_a_path_is_followed_in_the_model(path: str, inside: tuple[str, ...], said: str | None) -> None:
    told = canonical_mistake(Read(path, (), inside))
    assert told is None if said is None else told is not None and said in told


@pytest.mark.parametrize(
    ("path", "inside", "said"),
    [
        ("change.reports", (), None),
        ("change.patient", (), None),
        ("results", ("change.reports",), None),
        ("change.report", (), "change has no field 'report'; did you mean reports?"),
        ("change.patient.name", (), "change.patient.name is a value, which does not repeat"),
        ("^.results", ("change.reports",), "change.reports has no field '^'"),
    ],
)
def test_an_each_is_followed_in_the_model(path: str, inside: tuple[str, ...], said: str | None) -> None:
    told = canonical_mistake(Read(path, (), inside, each=True))
    assert told is None if said is None else told is not None and said in told


def test_a_wrong_each_is_said_once_not_of_all_below_it(tmp_path: Path) -> None:
    hook = REST.replace("{no: PID-3.1}", "{list: {each: change.report, of: {no: number, at: ^.x}}}")
    [one] = found(tmp_path, hook)
    assert "change has no field 'report'" in one.message


def test_the_address_is_read_too(tmp_path: Path) -> None:
    hook = REST.replace("{no: PID-3.1}", "{no: change.patient.number}").replace(
        "/in", "/in/{change.patient.no}"
    )
    [one] = found(tmp_path, hook)
    assert (one.line, "change.patient has no field 'no'" in one.message) == (6, True)


def test_the_address_by_which_it_is_asked_is_read_too(tmp_path: Path) -> None:
    hook = REST.replace("{no: PID-3.1}", "{no: change.patient.number}")
    host = hook.partition("address: ")[2].partition("/in")[0]
    asked = f"verify:\n  address: '{host}/in?key={{idempotency_key}}&id={{change.patient.%s}}'\n"
    assert found(tmp_path / "right", hook + asked % "number") == []
    [one] = found(tmp_path / "wrong", hook + asked % "no")
    assert (one.line, "change.patient has no field 'no'" in one.message) == (hook.count("\n") + 2, True)


def test_the_name_of_a_file_is_read_too(tmp_path: Path) -> None:
    assert found(tmp_path / "right", FILES, "hl7") == []
    [one] = found(tmp_path / "wrong", FILES)
    assert (one.line, "what is sent has no field 'PID-3'" in one.message) == (7, True)


@pytest.mark.parametrize(
    ("form", "body", "said"),
    [
        ("raw", "{no: no}", None),
        ("raw", "{no: ^.no}", "^. stands outside each"),
        ("hl7", "{no: PID-3.1}", None),
        ("hl7", "{no: patient.number}", "patient.number"),
        ("hl7", "{list: {each: OBX-3, of: OBX-3.1}}", "'OBX-3' names no segment"),
        ("fhir", "{no: entry.0.resource.id}", None),
        ("fhir", "{no: {path: ^.id}}", "^. stands outside each"),
    ],
)
def test_what_is_not_canonical_is_checked_as_it_is_written(
    tmp_path: Path, form: str, body: str, said: str | None
) -> None:
    told = found(tmp_path, REST.replace("{no: PID-3.1}", body), form)
    assert (told == []) if said is None else (len(told) == 1 and said in told[0].message)


def test_what_is_written_over_fhir_and_sent_on_is_checked_too(tmp_path: Path) -> None:
    hook = REST.replace("{no: PID-3.1}", "{no: change.patient.numbr}")
    folder = rules(tmp_path, TESTED, WARD, hook)
    (folder / "campuses" / "huiya" / "90-onward.yaml").write_text(ONWARD.split("tests:")[0])
    [one] = lint(folder).of(Severity.ERROR)
    assert (one.code, one.line) == ("bad-path", 7)


def test_a_webhook_has_no_shape(tmp_path: Path) -> None:
    assert found(tmp_path, HOOK) == []
