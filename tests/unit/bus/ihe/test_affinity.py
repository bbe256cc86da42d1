"""The affinity domain under `yilian rules lint`."""

from __future__ import annotations

from pathlib import Path

from bus.ihe.affinity import mistakes
from consortium.documents.affinity import FILE
from runtime.settings import CHECKOUT


def test_the_published_file_has_no_mistakes(tmp_path: Path) -> None:
    assert list(mistakes(CHECKOUT / "rules")) == []
    assert list(mistakes(tmp_path)) == []


def test_a_mistake_is_named_with_the_file(tmp_path: Path) -> None:
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_text("version: 1\n", "utf-8")
    (mistake,) = mistakes(tmp_path)
    assert str(mistake).startswith("codes/affinity-domain.yaml:1:1: ")
    assert mistake.code == "affinity-domain"
    assert "mime_types" in mistake.message
