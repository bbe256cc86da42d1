"""The commands of the bus answer in Chinese where the person's language is, and programs as ever."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bus.alerts.console import alerts_main
from bus.codes.console import codes_main
from bus.console import messages_main
from bus.delivery.console import destinations_main
from bus.rules.console import rules_main
from bus.systems_console import systems_main
from runtime import settings
from runtime.settings import CHECKOUT, Settings
from tests.integration.bus.clinic import hl7, store

CHINESE = re.compile(r"[\u4e00-\u9fff]")
Main = Callable[[Sequence[str]], int]
WHY = ["--why", "test"]
COMMANDS: list[tuple[Main, list[str], int]] = [
    (messages_main, ["list"], 0),
    (messages_main, ["show", "1"], 0),
    (messages_main, ["show", "999"], 1),
    (messages_main, ["replay", "1", *WHY], 1),
    (messages_main, ["replay", *WHY], 1),
    (messages_main, ["replay", "--state", "held", "--dry-run"], 0),
    (messages_main, ["discard", "999", *WHY], 1),
    (destinations_main, ["list"], 0),
    (destinations_main, ["show", "nowhere"], 1),
    (codes_main, ["unmapped"], 0),
    (codes_main, ["map", "nothing", "MAIN", "1", "2", *WHY], 1),
    (alerts_main, ["list"], 0),
    (systems_main, ["list"], 0),
    (systems_main, ["gateways"], 0),
    (rules_main, ["status"], 0),
    (rules_main, ["rollback"], 1),
    (rules_main, ["lint"], 0),
]


@pytest.mark.parametrize(
    ("main", "arguments", "code"), COMMANDS, ids=lambda it: getattr(it, "__name__", str(it))[:60]
)
def test_what_a_command_answers_is_chinese(
    main: Main,
    arguments: list[str],
    code: int,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    rules_dir = tmp_path if main is destinations_main else CHECKOUT / "rules"
    known = Settings(database_url=database_url, rules_dir=rules_dir, routing_key="k" * 32)
    monkeypatch.setattr(settings, "load", lambda: known)
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    store(database_url, hl7("ADT^A31", name="X^Y"))
    assert main(arguments) == code
    told = capsys.readouterr()
    assert CHINESE.search(told.out + told.err), told
    if code == 0 and "--dry-run" not in arguments:
        main([*arguments, "--json"])
        keys = json.dumps([*json.loads(capsys.readouterr().out)])
        assert not CHINESE.search(keys), "programs read the same in every language"
