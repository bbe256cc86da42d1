"""What is printed is what there is."""

from __future__ import annotations

import json

import pytest

from bus import terminal

TEXT = "OBX:x:[red]钾[/red] " + "6.9 " * 60


def test_no_text_is_markup_or_a_picture_and_no_line_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.write(TEXT)
    assert capsys.readouterr().out == TEXT + "\n"
    assert terminal.fail(TEXT) == 1
    assert capsys.readouterr().err == TEXT + "\n"
    terminal.show_json({"text": TEXT})
    assert json.loads(capsys.readouterr().out) == {"text": TEXT}


def test_nor_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show_table(["id"], [[":x:[red]"]])
    assert ":x:[red]" in capsys.readouterr().out
