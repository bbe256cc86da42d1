"""`yilian documents`: what an engineer reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bus.cda.console import documents_main
from tests.unit.bus.cda.documents import body


def file(tmp_path: Path, *changes: tuple[str, str], kind: str = "lab") -> str:
    text = body(kind).decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "document.xml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_sound_document_has_no_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert documents_main(["validate", file(tmp_path)]) == 0
    assert "0 errors, 0 warnings" in capsys.readouterr().out


def test_each_finding_names_element_rule_and_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    number = ("2.16.156.10011.1.33", "2.16.156.10011.1.99")
    wrong = file(tmp_path, ("zh-CN", "en"), number, ("<title>检验报告</title>\n  <eff", "<eff"))
    assert documents_main(["validate", wrong, "--json"]) == 1
    [told] = json.loads(capsys.readouterr().out)
    seen = [(one["rule"], one["severity"], one["path"]) for one in told["findings"]]
    assert seen == [
        ("xsd", "error", "ClinicalDocument/effectiveTime"),
        ("H05", "error", "ClinicalDocument"),
        ("H08", "warning", "ClinicalDocument"),
        ("L01", "error", "ClinicalDocument"),
    ]
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert documents_main(["validate", wrong]) == 1
    assert "错误 L01 ClinicalDocument: 缺少检验报告单编号" in capsys.readouterr().out


def test_warnings_do_not_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert documents_main(["validate", file(tmp_path, ("zh-CN", "en"))]) == 0
    assert "warning H08" in capsys.readouterr().out


def test_a_kind_that_no_rule_takes_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = file(tmp_path, ('code="C0007"', 'code="C0030"'))
    assert documents_main(["validate", other]) == 0
    assert "no rule takes documents of the kind 'C0030'" in capsys.readouterr().out
    assert documents_main(["validate", file(tmp_path), "--facility", "MAIN"]) == 0
    assert "no rule takes" in capsys.readouterr().out


def test_what_does_not_parse_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert documents_main(["validate", file(tmp_path, ("<custodian", "<keeper"))]) == 1
    assert "error malformed_xml" in capsys.readouterr().out
    assert documents_main(["validate", str(tmp_path / "away.xml")]) == 1
    assert "name a file that can be read" in capsys.readouterr().err


def test_a_page_is_written(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert documents_main(["page", file(tmp_path)]) == 0
    assert "<h1>检验报告</h1>" in capfdbinary.readouterr().out.decode()
