"""`./yilian export`: the same jobs at the command line."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from api.fhir.export import files, work
from api.fhir.export.console import export_main
from consortium.access import audit
from runtime import settings
from runtime.settings import Settings
from tests.integration.api.conftest import settings_for
from tests.integration.api.records import somebody_else

Run = Callable[..., tuple[int, str, str]]
START = ("start", "--user", "manager.group", "--type", "Patient")


@pytest.fixture
def chosen(seeded_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    known = settings_for(seeded_url).model_copy(update={"export_folder": tmp_path})
    monkeypatch.setattr(settings, "load", lambda: known)
    return known


@pytest.fixture
def run(chosen: Settings, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        code = export_main(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def li(engine: sa.Engine) -> UUID:
    return somebody_else(engine)


@pytest.fixture
def working(chosen: Settings, li: UUID, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The thread of the API."""
    monkeypatch.setattr(work, "LOOK", 0.05)
    with work.exporting(chosen):
        yield
    assert "exporting" not in {one.name for one in threading.enumerate()}


def told(run: Run, *words: str) -> Any:
    code, out, _ = run(*words, "--json")
    assert code == 0
    return json.loads(out)


@pytest.mark.usefixtures("working")
def test_an_export_is_followed_to_its_end_and_its_files_are_named(run: Run, li: UUID) -> None:
    code, out, err = run(*START, "--wait")
    assert code == 0
    first, second = [line for line in out.splitlines() if "export_done" not in line]  # the log of the loop
    assert first.endswith("done  100%, 1 resources in 1 files")
    assert "0%" in err
    path = Path(second.split()[1])
    assert json.loads(b"".join(files.plain(path)))["id"] == str(li)


@pytest.mark.usefixtures("working")
def test_it_answers_in_chinese(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    _, out, _ = run(*START, "--wait")
    assert "已完成  100%，1 个文件，1 条资源" in out
    assert "已完成" in run("list")[1]


def test_it_is_paused_resumed_listed_and_cancelled(run: Run, li: UUID, engine: sa.Engine) -> None:
    job = told(run, *START)
    assert (job["state"], job["types"], job["files"]) == ("active", ["Patient"], [])
    assert told(run, "pause", job["id"]) == {"id": job["id"], "done": "pause"}
    assert [one["state"] for one in told(run, "list")["exports"]] == ["paused"]
    again = run("pause", job["id"])
    assert (again[0], "the export is paused" in again[2]) == (1, True)
    assert run("resume", job["id"])[:2] == (0, "done\n")
    assert run("cancel", job["id"], "--by", "duty")[0] == 0
    assert told(run, "list") == {"exports": []}
    gone = run("status", job["id"])
    assert (gone[0], "./yilian export list shows them" in gone[2]) == (1, True)
    with engine.connect() as connection:
        entries = [one.entry for one in reversed(audit.entries(connection, limit=10))]
    assert [one.username for one in entries][0::3] == ["manager.group", "duty"]
    assert {one.action for one in entries} == {"record.export"}
    assert "begun" in entries[0].reason
    assert entries[-1].reason.endswith("cancel, 0 resources")


def test_who_may_not_export_does_not_here_either(run: Run, engine: sa.Engine) -> None:
    code, _, err = run("start", "--user", "doctor.main")
    assert (code, "doctor.main may not export" in err) == (1, True)
    with engine.connect() as connection:
        [one] = audit.entries(connection, limit=10, outcome="refused")
    assert one.entry.username == "doctor.main"


def test_what_is_wrong_is_said(run: Run) -> None:
    code, _, err = run("start", "--user", "manager.group", "--type", "Spaceship")
    assert (code, "_type: 1 of them not served" in err) == (1, True)
    assert run("status", "7")[0] == 2
