"""`rules explain` and `rules preview` of a message that lies in the inbox."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from bus.codes.mapping import map_code
from bus.rules.console import rules_main
from bus.rules.versions.folder import read_folder
from bus.rules.versions.service import deploy
from consortium.terminology.maps import Mapping
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


def test_a_stored_message_is_held_against_the_deployed_set_and_what_was_mapped_since(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    held, renamed = store(database_url, hl7("ADT^A31", "M2", sex="X"), hl7("ADT^A31", "M3", sex="1"))
    engine = sa.create_engine(sa.make_url(database_url).set(drivername="postgresql+psycopg"))
    files = read_folder(CHECKOUT / "rules")
    name = "campuses/main/12-patient.yaml"
    files[name] = files[name].replace(b"name: main-patient\n", b"name: main-patient-2\n", 1)
    files[name] = files[name].split(b"\ntests:", 1)[0]
    deploy(engine, files, "chen")
    assert said(["explain", str(renamed)], capsys)["rule"] == "main-patient-2"
    assert said(["explain", str(held)], capsys)["outcome"] == "held"
    wanted = Mapping("sex", "MAIN", "X", "unknown", None, None)
    map_code(engine, CHECKOUT / "rules", ["MAIN"], wanted, by="chen", why="by the vendor's list")
    assert said(["explain", str(held)], capsys)["outcome"] != "held"
    preview = said(["preview", str(held), "--rules", str(CHECKOUT / "rules")], capsys)
    assert [one["field"] for one in preview["differences"]] == ["decision.rule"], "both sets know the code"
    engine.dispose()
