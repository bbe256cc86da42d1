"""`./yilian master …` and `./yilian codes …` over a real database."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bus.codes.console import codes_main
from bus.master_data.console import master_main
from bus.router.effects import Services
from bus.router.router import Router
from bus.rules.ruleset import RuleSet
from runtime import settings
from runtime.settings import CHECKOUT, Settings
from tests.integration.bus.clinic import engine_of, hl7, rows, store

EXAMPLE = str(CHECKOUT / "docs/examples/departments.csv")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    chosen = Settings(database_url=database_url)
    monkeypatch.setattr(settings, "load", lambda: chosen)

    def command(*argv: str) -> tuple[int, str, str]:
        capsys.readouterr()  # what the router logged before
        main = {"master": master_main, "codes": codes_main}[argv[0]]
        status = main(argv[1:])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return command


def told(run: Run, *argv: str) -> Any:
    status, out, err = run(*argv, "--json")
    assert status == 0, err
    return json.loads(out)


def test_departments_are_imported_listed_shown_and_exported(
    run: Run, tmp_path: Path, database_url: str
) -> None:
    dry = told(run, "master", "import", "department", EXAMPLE, "--dry-run")
    assert (len(dry["added"]), dry["recorded"]) == (5, 0)
    assert told(run, "master", "import", "department", EXAMPLE, "--by", "chen")["recorded"] == 5
    listed = told(run, "master", "list", "department", "--on", "2026-02-01", "--owner", "MAIN")["entries"]
    assert [entry["code"] for entry in listed] == ["01", "0101", "0102"]
    [shown] = told(run, "master", "show", "department", "0102", "--on", "2025-12-31")["entries"]
    assert shown["name"] == "呼吸内科"
    assert len(told(run, "master", "history", "department", "0102")["entries"]) == 2
    [imported] = told(run, "master", "history", "department")["imports"]
    assert imported["imported_by"] == "chen"
    file = tmp_path / "again.csv"
    file.write_text(run("master", "export", "department")[1], encoding="gb18030")
    again = told(run, "master", "import", "department", str(file), "--charset", "gb18030")
    assert (again["unchanged"], again["recorded"]) == (5, 0)
    actions = rows(database_url, "SELECT username, action, resource FROM access.audit ORDER BY id")
    assert actions == [("chen", "master-data.write", "import of department")]


def test_people_read_the_differences(run: Run, tmp_path: Path) -> None:
    run("master", "import", "department", EXAMPLE)
    file = tmp_path / "d.csv"
    file.write_text("owner,code,name,valid_from\nMAIN,0101,心内科,2020-01-01\n", encoding="utf-8")
    status, out, _ = run("master", "import", "department", str(file))
    assert status == 0
    assert "~ MAIN 0101" in out
    assert "name: 心血管内科 -> 心内科" in out
    assert "0 added, 1 changed, 0 as before" in out


def test_mistakes_are_listed_and_nothing_is_imported(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "d.csv"
    file.write_text("owner,code,name,valid_from\nZZ,1,内科,2020-01-01\n", encoding="utf-8")
    status, _, err = run("master", "import", "department", str(file))
    assert status == 1
    assert "nothing was imported" in err
    assert "line 2, owner: must be one of MAIN" in err
    assert run("master", "import", "department", str(tmp_path / "none.csv"))[0] == 1
    assert run("master", "show", "department", "9")[0] == 1
    assert run("master", "list", "departments")[0] == 2


def test_the_columns_of_a_kind_are_explained(run: Run) -> None:
    fields = told(run, "master", "fields", "staff")["fields"]
    assert [field["name"] for field in fields if field["required"]] == [
        "owner", "code", "name", "valid_from", "department", "role",
    ]  # fmt: skip
    assert "must be given" in run("master", "fields", "staff")[1]


def test_subscribers_come_and_go(run: Run, database_url: str) -> None:
    run("master", "import", "department", EXAMPLE)
    status, out, _ = run(
        "master", "subscribe", "his", "department", "code-map", "--to", "main-his", "--present"
    )
    assert status == 0
    assert "his: no file of the deployed rules describes the destination main-his" in out
    [one] = told(run, "master", "subscribers")["subscribers"]
    assert (one["name"], one["kinds"], one["destination"]) == ("his", ["code-map", "department"], "main-his")
    assert (one["waiting"], one["sent_at"]) == (5, None)
    assert one["oldest_waiting_at"]
    assert "rules/destinations/main-his.yaml" in one["problem"]
    assert told(run, "master", "unsubscribe", "his")["subscribers"] == []
    assert run("master", "unsubscribe", "his")[0] == 1
    assert rows(database_url, "SELECT count(*) FROM bus.outbox") == [(0,)]


def test_an_unknown_code_is_listed_and_mapped(run: Run, database_url: str) -> None:
    engine = engine_of(database_url)
    router = Router(engine, RuleSet.load(CHECKOUT / "rules"), Services())
    ids = store(database_url, hl7("ADT^A28", sex="X"))
    router.answer(ids)
    [listed] = told(run, "codes", "unmapped", "--facility", "MAIN")["unmapped"]
    assert (listed["code_table"], listed["code"], listed["held"]) == ("sex", "X", 1)
    assert "sex" in run("codes", "unmapped")[1]
    wrong = run("codes", "map", "sex", "MAIN", "X", "malle", "--why", "typed by hand")
    assert (wrong[0], "is no target" in wrong[2]) == (1, True)
    done = told(run, "codes", "map", "sex", "MAIN", "X", "unknown", "--why", "按字典", "--by", "chen")
    assert done["released"] == [str(ids[0])]
    [entry] = told(run, "codes", "history", "sex", "MAIN", "X")["history"]
    assert (entry["target"], entry["mapped_by"], entry["why"]) == ("unknown", "chen", "按字典")
    assert rows(database_url, "SELECT username, action FROM access.audit") == [("chen", "code-map.write")]
    assert told(run, "codes", "unmapped")["unmapped"] == []
