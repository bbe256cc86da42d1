"""Campuses are files of the rules: the four of this repository, and what a process knows of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from consortium.errors import PermanentError
from runtime.campuses import Roster, of_today, read_campuses
from runtime.refusals import sentences
from runtime.settings import CHECKOUT, Settings

SHEKOU = "code: SK\nname: 蛇口院区\noid: 1.2.156.10011.99.10\n"


def written(folder: Path, name: str, text: str) -> Path:
    """Return a folder of rules with one more campus."""
    (folder / "campuses" / name).mkdir(parents=True)
    (folder / "campuses" / name / "campus.yaml").write_text(text, encoding="utf-8")
    return folder


def test_the_sample_consortium_is_four_folders_in_the_order_of_their_domains() -> None:
    assert [(one.code, one.oid) for one in Settings().campuses] == [
        ("MAIN", "1.2.156.10011.99.1"),
        ("HP", "1.2.156.10011.99.2"),
        ("HY", "1.2.156.10011.99.3"),
        ("NS", "1.2.156.10011.99.4"),
    ]


def test_domains_are_ordered_by_number(tmp_path: Path) -> None:
    written(tmp_path, "a", SHEKOU)
    written(tmp_path, "b", SHEKOU.replace("SK", "ZZ").replace("99.10", "99.9"))
    assert [one.code for one in read_campuses(tmp_path)] == ["ZZ", "SK"]


def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    written(tmp_path, "shekou", SHEKOU.replace("oid", "odi"))
    with pytest.raises(PermanentError, match=r"campuses/shekou/campus\.yaml is wrong"):
        _ = Settings(rules_dir=tmp_path).campuses


def test_a_set_that_names_no_campus_leaves_those_that_are_known(tmp_path: Path) -> None:
    own = written(tmp_path / "own", "shekou", SHEKOU)
    roster = Roster(own)
    assert [one.code for one in roster.now] == ["SK"]
    assert not roster.take(())
    assert Roster(tmp_path / "none").now == read_campuses(CHECKOUT / "rules")
    assert of_today(tmp_path / "none", own) == own
    assert of_today(own, tmp_path) == own


def test_what_is_taken_is_seen_by_all_who_hold_the_settings(tmp_path: Path) -> None:
    settings = Settings(mllp_port=1)
    copied = settings.model_copy(update={"mllp_port": 2})
    assert settings.roster.take(read_campuses(written(tmp_path, "shekou", SHEKOU)))
    assert [one.code for one in copied.campuses] == ["SK"]
    assert copied.campus("SK") is copied.campuses[0]
    assert copied.campus("MAIN") is None


def test_a_setting_of_before_says_where_campuses_are_now() -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({"campuses": [{"code": "NS"}]})
    assert "rules/campuses/<name>/campus.yaml" in "".join(sentences(refused.value, {}))
