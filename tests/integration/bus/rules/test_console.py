"""`./yilian rules deploy|rollback|versions|status|diff|backtest`, as an engineer uses them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from bus.envelope import Stored
from bus.heartbeat import _UPSERT
from bus.rules.console import rules_main
from bus.rules.versions import backtest_console, traffic
from bus.rules.versions.folder import digest_of
from consortium.terminology import maps
from runtime import settings
from runtime.rules import rules_notice
from runtime.settings import Settings
from tests.integration.bus.clinic import engine_of, hl7, lab, rows, store
from tests.integration.bus.rules.sets import numbered

COUNTS = "SELECT (SELECT count(*) FROM bus.work), (SELECT count(*) FROM bus.trace)"
Run = Callable[..., tuple[int, str, str]]


def lay_out(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "checkout", numbered(1))


@pytest.fixture
def options(database_url: str, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    options = Settings(database_url=database_url, rules_dir=checkout)
    monkeypatch.setattr(settings, "load", lambda: options)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("COLUMNS", "200")
    return options


@pytest.fixture
def run(options: Settings, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*argv: str) -> tuple[int, str, str]:
        code = rules_main(argv)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def said(run: Run, *argv: str, code: int = 0) -> Any:
    got, out, err = run(*argv, "--json")
    assert got == code, out + err
    return json.loads(out)


def test_a_change_is_deployed_and_taken_back(run: Run, checkout: Path) -> None:
    first = said(run, "deploy", "--note", "first", "--by", "chen")
    lay_out(checkout, numbered(2))
    second = said(run, "deploy", "--by", "chen")
    assert (second["previous"], second["changed"]) == (first["digest"], True)
    assert said(run, "deploy")["changed"] is False
    back = said(run, "rollback", "--note", "too early")
    assert (back["digest"], back["activation"]["action"]) == (first["digest"], "rollback")
    listed = said(run, "versions")
    assert listed["active"] == first["digest"]
    assert [v["digest"] for v in listed["versions"]] == [second["digest"], first["digest"]]
    assert [a["note"] for a in listed["activations"]] == ["too early", "", "first"]
    code, shown, _ = run("versions")
    assert code == 0
    assert f"{first['digest'][:12]} *" in shown


def test_a_set_with_a_mistake_is_refused_with_its_findings(run: Run, tmp_path: Path) -> None:
    said(run, "deploy")
    broken = lay_out(tmp_path / "broken", numbered(3, expected="other"))
    refused = said(run, "deploy", "--rules", str(broken), code=1)
    [finding] = refused["errors"]
    assert (finding["file"], finding["line"]) == ("campuses/main/lab.yaml", 21)
    assert "expected 'other', got 'v3'" in finding["message"]
    code, _, err = run("deploy", "--rules", str(broken))
    assert (code, err.splitlines()[0]) == (1, "the rule set is not deployed; 1 to correct:")
    assert said(run, "versions")["active"] == digest_of(numbered(1))


def test_a_checkout_with_other_rules_is_told_and_changes_nothing(
    run: Run, checkout: Path, options: Settings
) -> None:
    assert "no rule set is active yet" in run("status")[1]
    assert rules_notice(options) is None
    said(run, "deploy", "--by", "chen")
    assert said(run, "status")["drifted"] is False
    assert rules_notice(options) is None
    lay_out(checkout, numbered(2))
    status = said(run, "status")
    assert (status["drifted"], status["active"]["digest"]) == (True, digest_of(numbered(1)))
    assert status["checkout"]["differs"] == sorted(numbered(2))
    told = rules_notice(options)
    assert told is not None
    assert "3 files differ. Nothing was changed." in told
    assert told in run("status")[1]


def test_the_status_shows_what_the_router_could_not_load(run: Run, database_url: str) -> None:
    said(run, "deploy")
    detail = psycopg.types.json.Jsonb({"rules": "aaaaaaaaaaaa", "rules_not_loaded": "bbbbbbbbbbbb"})
    with psycopg.connect(database_url) as connection:
        connection.execute(_UPSERT.encode(), ("router", 1, detail))
    assert said(run, "status")["router"]["not_loaded"] == "bbbbbbbbbbbb"
    assert "could not load bbbbbbbbbbbb" in run("status")[1]


def test_two_sets_are_compared(run: Run, checkout: Path, tmp_path: Path) -> None:
    said(run, "deploy")
    lay_out(checkout, numbered(2))
    files = said(run, "diff", "active", "checkout")["files"]
    assert [file["path"] for file in files] == sorted(numbered(1))
    assert "+MAIN,LP006,v2,," in run("diff", "active", "checkout")[1]
    assert run("diff", "active", str(lay_out(tmp_path / "same", numbered(1)))) == (0, "no difference\n", "")


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (["rollback"], 1, "no rule set is active yet"),
        (["diff", "active", "checkout"], 1, "no rule set is active yet"),
        (["rollback", "zzzz"], 1, "no rule set is active yet"),
        (["deploy", "--rules", "/nowhere"], 1, "/nowhere is not a folder"),
        (["backtest"], 2, "--since"),
        (["backtest", "--since", "2026-02-30"], 2, "--since"),
        (["diff", "active"], 2, "after"),
    ],
)
def test_a_mistake_says_what_to_do(run: Run, argv: Sequence[str], code: int, told: str) -> None:
    got, out, err = run(*argv)
    assert (got, out) == (code, "")
    assert told in err


def test_a_database_that_is_away_or_old_is_named(
    run: Run, options: Settings, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP TABLE bus.rule_activation")
    older = "the database is older than this checkout: ./yilian down, then ./yilian up"
    assert run("status")[2] == older + "\n"
    assert rules_notice(options) == older
    away = options.model_copy(update={"database_url": "postgresql://nobody@127.0.0.1:1/x"})
    monkeypatch.setattr(settings, "load", lambda: away)
    assert run("versions")[2] == "the database cannot be reached: see ./yilian status\n"


def test_a_changed_set_is_run_over_stored_messages(run: Run, checkout: Path, database_url: str) -> None:
    said(run, "deploy")
    ids = store(database_url, *(lab(number=f"R{n}") for n in range(3)), hl7("ADT^A28"))
    before = rows(database_url, COUNTS)
    lay_out(checkout, numbered(2))
    report = said(run, "backtest", "--since", "2020-01-01")
    assert (report["stored"], report["read"], report["different"], report["complete"]) == (4, 4, 3, True)
    assert {one["field"] for one in report["differences"]} == {
        "reports[].item.code",
        "reports[].conclusion",
        "reports[].results[].unit",
    }
    assert report["differences"][0]["messages"] == [str(each) for each in ids[:3]]
    assert "4.1" not in json.dumps(report)
    assert "examples" not in report["differences"][0]
    assert rows(database_url, COUNTS) == before
    _, shown, _ = run("backtest", "--since", "2020-01-01", "--values")
    assert "'v1' → 'v2'" in shown
    assert "3 would be decided otherwise" in shown


def test_a_stored_version_a_campus_and_a_limit_narrow_a_backtest(
    run: Run, checkout: Path, database_url: str
) -> None:
    said(run, "deploy")
    lay_out(checkout, numbered(2))
    second = said(run, "deploy")["digest"]
    store(database_url, *(lab(number=f"R{n}") for n in range(3)))
    arguments = ("backtest", "--since", "2020-01-01", "--version", second[:12], "--against", "previous")
    report = said(run, *arguments, "--limit", "2")
    assert (report["read"], report["different"], report["complete"]) == (2, 2, False)
    assert said(run, *arguments, "--facility", "HY")["read"] == 0
    assert said(run, "backtest", "--since", "2999-01-01")["stored"] == 0


def test_both_sides_of_a_backtest_know_what_was_mapped_since(
    run: Run, checkout: Path, database_url: str
) -> None:
    """Held under the files alone on both sides, a changed field of such a message was not seen."""
    bare = "facility,code,target,name,system\nHY,LP006,v1,,\n"
    lay_out(checkout, without_tests(numbered(1, codes=bare)))
    said(run, "deploy")
    engine = engine_of(database_url)
    with engine.begin() as connection:
        wanted = maps.Mapping("panels", "MAIN", "LP006", "P", None, None)
        maps.add(connection, wanted, by="chen", why="by the vendor's list")
    store(database_url, lab())
    lay_out(checkout, without_tests(numbered(2, codes=bare)))
    report = said(run, "backtest", "--since", "2020-01-01")
    assert {one["field"] for one in report["differences"]} == {
        "reports[].conclusion",
        "reports[].results[].unit",
    }


def without_tests(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return a set whose rules carry no test."""
    return {path: content.split(b"tests:\n")[0] for path, content in files.items()}


def test_an_interrupted_backtest_tells_what_it_found(
    run: Run, checkout: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(run, "deploy")
    lay_out(checkout, numbered(2))
    store(database_url, *(lab(number=f"R{n}") for n in range(3)))
    real = traffic.read

    def interrupted(engine: sa.Engine, span: traffic.Span) -> Any:
        for place, message in enumerate(real(engine, span)):
            if place == 2:
                raise KeyboardInterrupt
            yield message

    monkeypatch.setattr(backtest_console, "read", interrupted)
    report = said(run, "backtest", "--since", "2020-01-01", code=130)
    assert (report["read"], report["different"], report["complete"]) == (2, 2, False)


def test_traffic_comes_in_order_in_pages_and_groups(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "PAGE", 3)
    monkeypatch.setattr(traffic, "BODIES_AT_ONCE", 400)
    ids = store(database_url, *(lab(number=f"R{n}") for n in range(8)))
    engine = engine_of(database_url)
    [(since,)] = rows(database_url, "SELECT received_at FROM bus.inbox WHERE id = %s", ids[1])

    def read(**narrower: Any) -> list[Stored]:
        return list(traffic.read(engine, traffic.span(engine, since, **narrower)))

    assert [message.id for message in read()] == ids[1:]
    assert [message.id for message in read(after=ids[4])] == ids[5:]
    assert read(after=ids[-1]) == []


def test_a_backtest_cannot_write(database_url: str) -> None:
    with (
        traffic.read_only(engine_of(database_url)).connect() as connection,
        pytest.raises(sa.exc.InternalError, match="read-only transaction"),
    ):
        connection.execute(sa.text("DELETE FROM bus.inbox"))
