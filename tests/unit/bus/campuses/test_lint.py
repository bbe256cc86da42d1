"""What `rules lint` says of the files of campuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.campuses.lint import mistakes
from bus.rules.lint import lint
from runtime.settings import CHECKOUT

CAMPUS = "code: NS\nname: 南沙院区\noid: 1.2.156.10011.99.4\ncharset: GB 18030-2000\n"


def put(rules_dir: Path, name: str, text: str) -> None:
    """Write one file of a folder of rules."""
    path = rules_dir / "campuses" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_the_campuses_of_this_repository_have_no_mistakes() -> None:
    assert mistakes(CHECKOUT / "rules") == []


def test_a_folder_that_names_no_campus_has_none(tmp_path: Path) -> None:
    put(tmp_path, "main/10-patient.yaml", "facility: MAIN")
    assert mistakes(tmp_path) == []


@pytest.mark.parametrize(
    ("wrong", "line", "code", "said"),
    [
        (CAMPUS.replace("code: NS", "code: ns"), 1, "bad-key", "code"),
        (CAMPUS.replace("code: NS", "code: GROUP"), 1, "bad-key", "the whole consortium"),
        (CAMPUS.replace("99.4", "99."), 3, "bad-key", "oid"),
        (CAMPUS.replace("oid:", "odi:"), 3, "unknown-key", "odi"),
        (CAMPUS.replace("GB 18030-2000", "KLINGON"), 4, "bad-key", "table 0211"),
        (CAMPUS.replace("99.4", "99.1"), 3, "duplicate-name", "the oid in campuses/main/campus.yaml"),
        ("code: [", 1, "bad-yaml", ""),
    ],
)
def test_a_mistake_is_named_by_file_line_and_what_to_do(
    tmp_path: Path, wrong: str, line: int, code: str, said: str
) -> None:
    put(tmp_path, "main/campus.yaml", "code: MAIN\nname: 院本部\noid: 1.2.156.10011.99.1\n")
    put(tmp_path, "nansha/campus.yaml", wrong)
    found = mistakes(tmp_path)[0]
    assert (found.file, found.place.line, found.code) == ("campuses/nansha/campus.yaml", line, code)
    assert said in str(found)


def test_each_folder_names_its_campus_and_speaks_for_it_alone(tmp_path: Path) -> None:
    put(tmp_path, "main/campus.yaml", "code: MAIN\nname: 院本部\noid: 1.2.156.10011.99.1\n")
    put(tmp_path, "main/10-patient.yaml", "name: a\nfacility: NS\n")
    put(tmp_path, "main/files/lab.yaml", "facility: MAIN\n")
    put(tmp_path, "nansha/tables/his.yaml", "facility: NS\n")
    assert [(each.file, each.place.line, each.code) for each in mistakes(tmp_path)] == [
        ("campuses/nansha/campus.yaml", 1, "missing-key"),
        ("campuses/main/10-patient.yaml", 2, "wrong-campus"),
    ]


def test_the_linter_reports_a_file_in_another_campus_s_folder(tmp_path: Path) -> None:
    put(tmp_path, "main/campus.yaml", "code: MAIN\nname: 院本部\noid: 1.2.156.10011.99.1\n")
    put(tmp_path, "main/files/lab.yaml", "name: lab\nfacility: NS\n")
    found = lint(tmp_path, [mistakes]).findings
    assert [(each.file, each.line, each.code) for each in found] == [
        ("campuses/main/files/lab.yaml", 2, "wrong-campus")
    ]
