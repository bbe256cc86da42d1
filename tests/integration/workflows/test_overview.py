"""Where workflows stand, for ops: at the terminal, over the API, in the heartbeat. No patient."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg
import sqlalchemy as sa

from api.app import create_app
from bus import gauges
from consortium.access import tokens
from consortium.access.seed import seed_sample_users
from runtime import process
from runtime.settings import Settings
from runtime.waiting import until
from tests.integration.bus.clinic import engine_of
from tests.integration.workflows.conftest import Reader, critical_potassium, temporal_server, worker
from workflows.critical_value.model import workflow_id

NAME = "金丝雀𠮷安珅"
TOKEN_KEY = "a key for tests only, 32 bytes or more"


def yilian(*words: str, exit_code: int = 0) -> str:
    """Run `./yilian workflows …` and return what it prints."""
    done = subprocess.run(
        [*process.python("runtime.cli"), "workflows", *words],
        env=dict(os.environ),
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == exit_code, done.stderr
    return done.stdout + done.stderr


def listed(*words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(yilian("list", "--json", *words))["workflows"]
    return found


def told_all(reader: Reader) -> bool:
    return len(reader.told()) == 3


def test_ops_see_how_far_a_workflow_is_and_whom_it_told(
    settings: Settings, tmp_path: Path, reader: Reader
) -> None:
    identifier = workflow_id(critical_potassium(settings.database_url, name=NAME))
    with temporal_server(settings, tmp_path), worker(tmp_path):
        assert until(lambda: told_all(reader), 60)
        assert until(lambda: [one["level"] for one in listed()] == [2], 30, interval=0.2)
        [one] = listed("--facility", "MAIN", "--type", "critical_value", "--state", "escalated", "--late")
        shown = json.loads(yilian("show", identifier, "--json"))
        printed = yilian("list") + yilian("show", identifier)
        assert listed("--facility", "HY") == []
        assert "no workflow starts by the clock" in yilian("schedules")
        assert "Temporal knows no workflow" in yilian("show", "critical-value-1", exit_code=1)
        assert "letters, digits" in yilian("list", "--state", "' OR 1=1", exit_code=1)
    assert (one["id"], one["facility"], one["status"]) == (identifier, "MAIN", "running")
    assert datetime.fromisoformat(one["deadline"]) < datetime.now(UTC)
    assert shown["standing"] == one
    assert shown["recorded"] == {"state": "escalated", "facility": "MAIN", "level": 2}
    assert [step["step"] for step in shown["steps"]] == ["told:0", "told:1", "told:2"]
    assert shown["pending"] == []
    assert identifier in printed.replace("\n", "")
    assert NAME not in printed + str(shown)


REFUSING = (
    "CREATE FUNCTION workflow.refuse() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'refused for now'; END $$;"
    "CREATE TRIGGER refuse BEFORE INSERT ON workflow.notification"
    " FOR EACH ROW EXECUTE FUNCTION workflow.refuse()"
)


def test_what_holds_a_workflow_up_is_shown(settings: Settings, tmp_path: Path, reader: Reader) -> None:
    with psycopg.connect(settings.database_url, autocommit=True) as database:
        database.execute(REFUSING)
        identifier = workflow_id(critical_potassium(settings.database_url))
        with temporal_server(settings, tmp_path), worker(tmp_path):
            assert until(lambda: reader.outbox()[0], 30)

            def failing() -> list[dict[str, Any]]:
                pending: list[dict[str, Any]] = json.loads(yilian("show", identifier, "--json"))["pending"]
                return [one for one in pending if one["failure"]]

            assert until(lambda: bool(failing()), 30, interval=0.2)
            [one] = failing()
            assert (one["activity"], one["failure"]) == ("critical_value.notify", "ProgrammingError")
            assert one["attempt"] >= 2
            assert "refused for now" not in yilian("show", identifier), "its words may quote a row"
            database.execute("DROP TRIGGER refuse ON workflow.notification")
            assert until(lambda: bool(reader.told()), 60)


async def answers(settings: Settings, paths: dict[str, str]) -> dict[str, httpx.Response]:
    """Ask the API: user and path by a name."""
    application = create_app(settings)
    transport = httpx.ASGITransport(application)
    now = datetime.now(UTC)
    found = {}
    async with httpx.AsyncClient(transport=transport, base_url="http://yilian.test") as client:
        for name, path in paths.items():
            token = tokens.issue(name.partition(",")[0], TOKEN_KEY, now)
            found[name] = await client.get(path, headers={"Authorization": f"Bearer {token}"})
    application.state.platform.engine.dispose()
    return found


def test_the_api_shows_each_campuss_staff_their_own_workflows(
    settings: Settings, tmp_path: Path, reader: Reader
) -> None:
    at_hy = "UPDATE access.account SET organisation = 'HY' WHERE username = 'engineer'"
    with engine_of(settings.database_url).begin() as connection:
        seed_sample_users(connection, "a password for tests")
        connection.execute(sa.text(at_hy))
    identifier = workflow_id(critical_potassium(settings.database_url, name=NAME))
    path = "/api/v1/workflows"
    asked = {
        "ops": path,
        "ops,one": f"{path}/{identifier}",
        "ops,none": f"{path}/critical-value-{UUID(int=0)}",
        "ops,cursor": f"{path}?after=%25%25",
        "engineer": path,
        "engineer,theirs": f"{path}?facility=MAIN",
        "engineer,one": f"{path}/{identifier}",
        "doctor.main": path,
        "manager.group,one": f"{path}/{identifier}",
    }
    told = settings.model_copy(update={"token_key": TOKEN_KEY, "routing_key": "a key for tests"})
    with temporal_server(settings, tmp_path), worker(tmp_path):
        assert until(lambda: told_all(reader), 60)
        assert until(lambda: len(listed()) == 1, 30, interval=0.2)
        found = asyncio.run(answers(told, asked))
    away = asyncio.run(answers(told, {"ops": path}))["ops"]
    [one] = found["ops"].json()["items"]
    assert (one["id"], one["facility"], found["ops"].json()["next"]) == (identifier, "MAIN", None)
    details = found["ops,one"].json()
    assert details["recorded"] == {"state": "escalated", "facility": "MAIN", "level": 2}
    assert [step["duty"] for step in details["steps"]] == ["ordering_doctor", *["medical_affairs"] * 2]
    assert NAME not in found["ops"].text + found["ops,one"].text
    assert found["engineer"].json()["items"] == []
    statuses = {name: answer.status_code for name, answer in found.items()}
    assert statuses == {
        "ops": 200,
        "ops,one": 200,
        "ops,none": 404,
        "ops,cursor": 400,
        "engineer": 200,
        "engineer,theirs": 403,
        "engineer,one": 403,
        "doctor.main": 403,
        "manager.group,one": 403,
    }
    assert away.status_code == 503


def test_how_long_tasks_wait_is_in_the_heartbeat(settings: Settings, tmp_path: Path, reader: Reader) -> None:
    critical_potassium(settings.database_url)
    engine = engine_of(settings.database_url)

    def waits() -> dict[str, float]:
        with engine.connect() as connection:
            return dict(gauges.schedule_to_start(connection))

    with temporal_server(settings, tmp_path), worker(tmp_path):
        assert until(lambda: {"yilian workflow", "yilian activity"} <= waits().keys(), 60, interval=0.5)
        assert all(0 <= seconds < 60 for seconds in waits().values())
