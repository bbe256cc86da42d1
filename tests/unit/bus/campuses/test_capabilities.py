"""What hospitals are registered for is a reviewed file, and linted."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.campuses.capabilities import mistakes
from consortium.referral.capabilities import CapabilitiesError, load
from tests.conftest import CHECKOUT


def write(folder: Path, campus: str, text: str) -> None:
    path = folder / "campuses" / campus / "capabilities.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")


def test_the_shipped_files_are_right() -> None:
    assert mistakes(CHECKOUT / "rules") == []
    assert set(load(CHECKOUT / "rules")) == {"MAIN", "HP", "HY"}


def test_a_mistake_is_told_by_its_place(tmp_path: Path) -> None:
    write(tmp_path, "a", "facility: A\nequipmnt: []\n")
    write(tmp_path, "b", "facility: B\nequipment:\n  - {code: ct, name: CT}\n  - {code: ct, name: 磁共振}\n")
    write(tmp_path, "c", "facility: B\n")
    found = [(error.file, error.line, error.code) for error in mistakes(tmp_path)]
    assert found == [
        ("campuses/a/capabilities.yaml", 2, "unknown-key"),
        ("campuses/b/capabilities.yaml", 4, "duplicate-name"),
        ("campuses/c/capabilities.yaml", 1, "duplicate-name"),
    ]


def test_a_wrong_file_is_named_where_it_is_used(tmp_path: Path) -> None:
    write(tmp_path, "a", "facility: A\nequipmnt: []\n")
    with pytest.raises(CapabilitiesError, match=r"campuses/a/capabilities\.yaml is wrong"):
        load(tmp_path)
