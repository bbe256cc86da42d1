"""The description of a campus's tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.tables import settings
from consortium.errors import PermanentError
from runtime.settings import CHECKOUT, Settings

RULES = CHECKOUT / "rules"

SOUND = """
facility: XX
source: huiya_url
watermark: updated_at
interval: 1
lag: 2
overlap: 60
tables: [{name: patient, key: number, patient: number}]
"""


def described(tmp_path: Path, text: str) -> settings.Campus:
    """Load a description."""
    path = tmp_path / "xx.yaml"
    path.write_text(text, encoding="utf-8")
    return settings.load(path)


def test_patients_are_read_before_visits_and_visits_before_results() -> None:
    names = [table.name for table in settings.campus("HY", RULES).tables]
    assert names == ["patient", "visit", "lab_order", "lab_result", "exam_report", "charge"]


def test_a_sound_description_is_taken(tmp_path: Path) -> None:
    assert described(tmp_path, SOUND).table("patient").key == "number"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("interval: 1", "facility"),
        (SOUND.replace("key: number", "kee: number"), "kee"),
        (SOUND.replace("key: number", "key: 'n; DROP TABLE x'"), "key"),
        (SOUND.replace("interval: 1", "interval: 0"), "interval"),
        (SOUND.replace("tables: [", "tables: [["), "xx.yaml"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, wrong: str, named: str) -> None:
    with pytest.raises(PermanentError, match=named):
        described(tmp_path, wrong)


def test_a_campus_or_setting_that_is_missing_is_named() -> None:
    with pytest.raises(PermanentError, match="XX"):
        settings.campus("XX", RULES)
    with pytest.raises(PermanentError, match="huiya_url is empty"):
        settings.campus("HY", RULES).url(Settings(huiya_url=""))


def test_lint_names_each_mistake_by_file_and_line(tmp_path: Path) -> None:
    assert settings.mistakes(tmp_path) == []
    tables = tmp_path / "campuses" / "xx" / "tables"
    tables.mkdir(parents=True)
    (tables / "a.yaml").write_text(SOUND, encoding="utf-8")
    (tables / "b.yaml").write_text(SOUND.replace("interval: 1", "interval: 0"), encoding="utf-8")
    (tables / "c.yaml").write_text("tables: [", encoding="utf-8")
    (tables / "d.yaml").write_text(SOUND, encoding="utf-8")
    found = settings.mistakes(tmp_path)
    assert [(error.file, error.code) for error in found] == [
        ("campuses/xx/tables/b.yaml", "bad-key"),
        ("campuses/xx/tables/c.yaml", "bad-yaml"),
        ("campuses/xx/tables/d.yaml", "duplicate-name"),
    ]
    assert "interval" in found[0].message
