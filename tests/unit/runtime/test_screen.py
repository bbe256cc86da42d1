"""What a person reads: the closing screen and the status table."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from runtime import screen
from runtime.catalogue import endpoints
from runtime.plan import Condition
from runtime.report import Line, Report, explain
from runtime.settings import Settings
from runtime.verbs import status

SETTINGS = Settings(database_url="postgresql://yilian:hidden@127.0.0.1:5432/yilian")
FIGURES: dict[str, Any] = {
    "sent": 10,
    "recorded": 6,
    "held": {"unmapped_code": 1, "waiting": 1},
    "refused": 1,
    "refusals": {"unknown_type": 1},
    "duplicates": 1,
}


def shown(campuses: dict[str, Any] | None) -> str:
    out = io.StringIO()
    console = Console(file=out, width=120)
    screen.show(console, SETTINGS, endpoints(SETTINGS), campuses, "/home/me/.yilian/generated.toml")
    return out.getvalue()


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.setenv(name, "C.UTF-8")


def test_the_closing_screen_tells_each_campus_and_every_address_and_no_password() -> None:
    text = shown({"MAIN": {**FIGURES, "expected": FIGURES}})
    assert "院本部 MAIN" in text
    assert "unknown_type 1, unmapped_code 1, waiting 1" in text
    assert "where the day's plan foresaw it" in text
    for address in ("/docs", "/fhir", "127.0.0.1:2575", ":15672", ":8233", ":8081"):
        assert address in text
    assert "hidden" not in text


def test_figures_add_up() -> None:
    sent, *where = screen.figures(FIGURES)
    assert sent == sum(where)


def test_a_day_that_went_otherwise_than_planned_is_said_so() -> None:
    text = shown({"MAIN": {**FIGURES, "expected": {**FIGURES, "recorded": 7}}})
    assert "Not as the day's plan foresaw: MAIN" in text


def test_an_empty_start_says_how_to_get_a_sample_day() -> None:
    assert "No sample day was played here" in shown(None)


def test_a_chinese_reader_is_told_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert "医联已启动" in shown({"MAIN": {**FIGURES, "expected": FIGURES}})


def line(name: str = "api", *, healthy: bool = True) -> Line:
    return Line(
        name, healthy, "healthy" if healthy else "backoff", "http://127.0.0.1:8080", "answers", 7, 2, 3 << 20
    )


def test_status_for_programs_has_health_url_and_detail_of_each_service() -> None:
    report = Report(running=True, healthy=True, lines=(line(),), supervisor_memory=1 << 20)
    told = json.loads(json.dumps(status.as_json(report, endpoints(SETTINGS))))
    assert told["healthy"] is True
    assert told["services"]["api"]["healthy"] is True
    assert told["services"]["api"]["url"] == "http://127.0.0.1:8080"
    assert told["services"]["api"]["detail"] == "answers"
    assert told["services"]["api"]["memory_mib"] == 3.0
    assert told["memory_mib"] == 4.0
    assert {
        "api",
        "fhir",
        "mllp",
        "pix",
        "soap_wsdl",
        "web",
        "temporal_ui",
        "airflow_ui",
        "rabbitmq_ui",
    } <= told["endpoints"].keys()
    assert {"postgres", "amqp"} <= told["endpoints"].keys()


def test_status_before_any_start_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from runtime.cli import main

    monkeypatch.setenv("YILIAN_HOME", str(tmp_path))
    assert main(["status"]) == 1
    assert "./yilian up" in capsys.readouterr().out
    assert main(["status", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["healthy"] is False
    assert told["services"] == {}


def test_a_waiting_service_tells_what_holds_it_up() -> None:
    conditions = {
        "schema": Condition(state="backoff", error="the database schema could not be brought up", job=True),
        "router": Condition(state="waiting"),
    }
    told = explain("router", conditions, running=True, stale=False)
    assert told == "waiting for schema: the database schema could not be brought up"
