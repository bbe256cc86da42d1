"""What the commands answer is Chinese where the person's language is; what programs read is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bus.held import no_message
from bus.rules.console import rules_main
from bus.rules.message import NoMessageError
from bus.rules.versions.model import Finding, NothingActiveError, RefusedRulesError
from bus.terminal import told
from consortium.errors import PermanentError
from tests.unit.bus.rules.test_lint import TESTED
from tests.unit.bus.rules.test_ruleset import folder


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")


def test_an_error_is_told_in_the_language_of_whoever_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    error = no_message(7)
    monkeypatch.setenv("LC_ALL", "C")
    assert told(error) == "there is no message 7; find it with ./yilian messages list"
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert told(error) == "没有编号为 7 的消息；请用 ./yilian messages list 查找"
    assert str(error).startswith("there is no message 7"), "what the API answers stays as it is"


@pytest.mark.usefixtures("chinese")
def test_an_error_without_chinese_words_is_told_as_it_is() -> None:
    assert told(PermanentError("as it is")) == "as it is"
    assert told(NothingActiveError()).startswith("尚无生效的规则集")
    assert told(RefusedRulesError([Finding("a.yaml", 1, "wrong")])) == (
        "规则集未启用；有 1 处需要更正：\na.yaml:1: wrong"
    )


@pytest.mark.usefixtures("chinese")
def test_the_rules_commands_answer_in_chinese(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = folder(tmp_path, TESTED)
    assert rules_main(["lint", "--rules", str(made)]) == 0
    assert "1 条规则" in capsys.readouterr().out
    assert rules_main(["test", "--rules", str(made), "nobody"]) == 1
    assert "没有规则、院区或目录 'nobody'" in capsys.readouterr().err
    assert rules_main(["explain", str(tmp_path / "away"), "--rules", str(made)]) == 1
    assert "无法读取" in capsys.readouterr().err
    assert rules_main(["lint", "--rules", str(made), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["errors"] == []


def test_every_subclass_takes_chinese_words() -> None:
    assert NoMessageError("english", zh="中文").zh == "中文"
