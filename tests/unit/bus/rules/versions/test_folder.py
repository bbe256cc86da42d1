"""A rule set as files: what belongs to it, and its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.files.settings import mistakes
from bus.rules.versions.check import check
from bus.rules.versions.compare import compare
from bus.rules.versions.folder import (
    LARGEST,
    UnfitFilesError,
    checked_files,
    digest_of,
    laid_out,
    read_folder,
)
from runtime.settings import CHECKOUT

FILES = st.dictionaries(st.text(min_size=1, max_size=6), st.binary(max_size=6), min_size=1, max_size=4)


def test_a_folder_comes_back_as_it_was_written() -> None:
    files = {"campuses/main/a.yaml": b"a", "codes/sex.csv": "男".encode("gb18030"), "xslt/b/c.xsl": b""}
    with laid_out(files) as folder:
        assert read_folder(folder) == files


def test_what_is_beside_the_folders_hidden_or_a_backup_is_not_part_of_it(tmp_path: Path) -> None:
    for name in (
        "README.md",
        "codes/sex.csv",
        "codes/.sex.csv.swp",
        "codes/sex.csv~",
        ".git/x",
        "a/__pycache__/b",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert read_folder(tmp_path) == {"codes/sex.csv": b"x"}


@pytest.mark.parametrize(
    "name",
    [
        "a.yaml",
        "/codes/a",
        "codes//a",
        "../codes/a",
        "codes/../a",
        "codes/.",
        "codes\\a/b",
        "C:/a",
        "codes/a\n",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(UnfitFilesError):
        checked_files({name: b""})


def test_nothing_too_much_and_a_file_that_is_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnfitFilesError, match="is not a folder"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(UnfitFilesError, match="no files"):
        read_folder(tmp_path)
    with pytest.raises(UnfitFilesError, match="bytes are more"):
        checked_files({"codes/a": bytes(LARGEST + 1)})
    with pytest.raises(UnfitFilesError, match="a file and a folder"), laid_out({"a/b": b"", "a/b/c": b""}):
        pass


@given(FILES, FILES)
def test_two_sets_have_one_digest_only_when_they_are_the_same(
    one: dict[str, bytes], other: dict[str, bytes]
) -> None:
    assert (digest_of(one) == digest_of(other)) is (one == other)
    assert digest_of(dict(reversed(one.items()))) == digest_of(one)


def test_a_boundary_between_path_and_content_counts() -> None:
    assert digest_of({"a/b": b"c"}) != digest_of({"a/": b"bc"})


def test_the_checkouts_rules_pass() -> None:
    found = check(read_folder(CHECKOUT / "rules"))
    assert found.findings == ()
    assert found.rules > 20
    assert found.tests > 40


def test_a_test_message_outside_the_set_is_not_read() -> None:
    rule = b"""
name: a
facility: MAIN
description: d
match: "true"
kind: patient
map: {patient: {number: PID-3.1}}
tests: [{name: t, given: {file: ../../../../../../etc/passwd, type: "json:x"}, expect: {}}]
"""
    [finding] = check({"campuses/main/a.yaml": rule}).findings
    assert finding.message == "given.file lies outside the rule set; put it beside"
    assert (finding.file, finding.line) == ("campuses/main/a.yaml", 8)


def test_anchors_that_multiply_end_the_reading_and_not_the_machine() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 38)]
    [finding] = check({"campuses/main/a.yaml": "\n".join(lines).encode()}).findings
    assert finding.message == "too many parts: anchors that multiply each other?"


def test_a_file_that_is_no_utf8_is_named_with_its_line() -> None:
    [finding] = check({"codes/a.csv": b"facility\n\xc4\xd0"}).findings
    assert str(finding) == "codes/a.csv:2: the file is not UTF-8; save it as UTF-8"


def test_a_comparison_names_each_file_and_what_changed_in_it() -> None:
    before = {"a/1": b"one\ntwo\n", "a/2": b"x", "a/3": b"same"}
    after = {"a/1": b"one\nthree\n", "a/3": b"same", "a/4": b"\xff"}
    changes = compare(before, after)
    assert [(change.path, change.change) for change in changes] == [
        ("a/1", "changed"),
        ("a/2", "removed"),
        ("a/4", "added"),
    ]
    assert changes[0].diff.splitlines()[:2] == ["--- a/a/1", "+++ b/a/1"]
    assert {"-two", "+three"} <= set(changes[0].diff.splitlines())
    assert changes[2].diff == ""


def test_what_adapters_look_at_keeps_a_set_from_being_deployed() -> None:
    files = {**read_folder(CHECKOUT / "rules")}
    assert check(files, (mistakes,)).findings == ()
    name = "campuses/nansha/files/ns_lab.yaml"
    files[name] = files[name].replace(b"settle: 10", b"setle: 10")
    [found] = check(files, (mistakes,)).findings
    assert (found.file, "setle" in found.message) == (name, True)


def test_a_finding_of_the_linter_keeps_its_column_and_code() -> None:
    head = "name: a\nfacility: MAIN\ndescription: d\nmatch: 'true'\nkind: patient\n"
    rule = head + "map: {patient: {nmae: PID-5}}\n"
    findings = check({"campuses/main/a.yaml": rule.encode()}).findings
    [found] = [one for one in findings if one.code == "unknown-field"]
    assert (found.file, found.line, found.column) == ("campuses/main/a.yaml", 6, 17)
    assert str(found).startswith("campuses/main/a.yaml:6:17: unknown-field: ")
