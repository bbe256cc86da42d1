"""The description of a source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.files import settings
from consortium.errors import PermanentError
from runtime.verbs import rules
from tests.unit.adapters.files.reading import csv_source

SOUND = """
facility: NS
sender: LIS
pattern: "lab_*.csv"
message_type: csv:lab
csv: {charset: GB18030}
key: [no]
patient: patient
"""


def described(tmp_path: Path, text: str, name: str = "ns_lab") -> settings.Source:
    """Load a description."""
    path = tmp_path / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return settings.load(path)


def test_a_sound_description_is_taken_and_named_by_its_file(tmp_path: Path) -> None:
    source = described(tmp_path, SOUND)
    assert source.name == "ns_lab"
    assert source.csv is not None
    assert source.csv.codec == "gb18030"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("- 1", "keys and values"),
        (SOUND.replace("sender:", "sendr:"), "sendr"),
        (SOUND.replace("GB18030", "UTF-16"), "UTF-16"),
        (SOUND.replace("csv: {charset: GB18030}", ""), "one of csv, xml, hl7 and cda"),
        (SOUND + "xml: {record: a}", "one of csv, xml, hl7 and cda"),
        (SOUND.replace("csv:lab", "xml:lab"), "message_type"),
        (SOUND.replace("csv:lab", "'csv:'"), "message_type"),
        (SOUND.replace("sender: LIS", ""), "sender"),
        (SOUND.replace("csv: {charset: GB18030}", "hl7: {}"), "key, patient, message_type"),
        (SOUND.replace("{charset: GB18030}", "{header: false}"), "columns"),
        (SOUND.replace("{charset: GB18030}", "{columns: [a, a]}"), "twice"),
        (SOUND + "page: 0", "page"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, wrong: str, named: str) -> None:
    with pytest.raises(PermanentError, match=named):
        described(tmp_path, wrong)


def test_a_name_that_cannot_be_a_setting_is_refused(tmp_path: Path) -> None:
    for name in ("ns-lab", "NS", "ns__lab", "1"):
        with pytest.raises(PermanentError, match="name"):
            described(tmp_path, SOUND, name)


@pytest.mark.parametrize(
    ("name", "told", "taken"),
    [
        ("lab_1.csv", {}, True),
        ("LAB_1.CSV", {}, False),
        (".lab_1.csv", {"pattern": "*"}, False),
        ("lab_1.csv.tmp", {"pattern": "*"}, False),
        ("lab_1.csv.filepart", {"pattern": "*"}, False),
        ("lab_1.csv.done", {"pattern": "*"}, True),
        ("lab_1.csv.done", {"pattern": "*", "complete": "done"}, False),
    ],
)
def test_only_finished_files_of_the_pattern_are_taken(name: str, told: dict[str, Any], taken: bool) -> None:
    assert csv_source(**{"pattern": "lab_*.csv", **told}).takes(name) is taken


def test_two_campuses_have_no_source_of_one_name(tmp_path: Path) -> None:
    for campus in ("a", "b"):
        folder = tmp_path / "campuses" / campus / "files"
        folder.mkdir(parents=True)
        (folder / "ns_lab.yaml").write_text(SOUND, encoding="utf-8")
    with pytest.raises(PermanentError, match=r"campuses.b.files.ns_lab.yaml"):
        settings.sources(tmp_path)


def test_every_mistake_of_every_source_is_listed_with_its_place(tmp_path: Path) -> None:
    for campus, name, text in (
        ("a", "ns_lab", SOUND),
        ("a", "ns_bad", SOUND.replace("sender:", "sendr:").replace("key: [no]", "key: no")),
        ("b", "ns_list", "- 1"),
        ("b", "ns_lab", SOUND),
    ):
        folder = tmp_path / "campuses" / campus / "files"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    found = sorted((each.file, each.place.line, each.code) for each in settings.mistakes(tmp_path))
    assert found == [
        ("campuses/a/files/ns_bad.yaml", 3, "unknown-key"),
        ("campuses/a/files/ns_bad.yaml", 7, "bad-key"),
        ("campuses/b/files/ns_lab.yaml", 1, "duplicate-name"),
        ("campuses/b/files/ns_list.yaml", 1, "bad-key"),
    ]


def test_rules_lint_names_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "campuses" / "a" / "files"
    folder.mkdir(parents=True)
    (folder / "ns_lab.yaml").write_text(SOUND.replace("sender:", "sendr:"), encoding="utf-8")
    assert rules.passed_on(["lint", "--rules", str(tmp_path)]) == 1
    assert "campuses/a/files/ns_lab.yaml:3:1: " in capsys.readouterr().out
    (folder / "ns_lab.yaml").write_text(SOUND, encoding="utf-8")
    assert rules.passed_on(["lint", "--rules", str(tmp_path)]) == 0
