"""`rules explain` and `rules preview` of a message that lies in the inbox."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from bus.rules.console import rules_main
from runtime import settings
from runtime.settings import CHECKOUT, Settings
from tests.integration.bus.clinic import hl7, lab, store


@pytest.fixture(autouse=True)
def here(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Settings(database_url=database_url, rules_dir=CHECKOUT / "rules")
    monkeypatch.setattr(settings, "load", lambda: found)


def said(command: Sequence[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert rules_main([*command, "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_a_stored_message_is_explained_in_its_own_charset(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (held,) = store(database_url, hl7("ADT^A31", "M2", sex="X"))
    told = said(["explain", str(held), "--show-values"], capsys)
    assert (told["outcome"], told["rule"], told["hold"]["field"]) == ("held", "main-patient", "PID-8")
    assert {r["value"] for r in told["readings"] if r["field"] == "patient.name"} == {"王珅"}


def test_a_stored_message_is_previewed(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    (stored,) = store(database_url, lab())
    answer = said(["preview", str(stored), "--rules", str(CHECKOUT / "rules")], capsys)
    assert answer == {"message": f"message {stored}", "differences": []}


def test_a_message_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert rules_main(["explain", "123456"]) == 1
    assert "there is no message 123456" in capsys.readouterr().err
