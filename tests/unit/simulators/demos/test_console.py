"""`demo` says what to do where nothing runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime import settings
from runtime.cli import main


def test_where_nothing_was_started_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YILIAN_HOME", str(tmp_path))
    monkeypatch.setenv("LANG", "C.UTF-8")
    settings.load.cache_clear()
    try:
        assert main(["demo", "referral"]) == 1
    finally:
        settings.load.cache_clear()
    assert "./yilian up" in capsys.readouterr().err
