"""Temporal's own UI and command line use the codec endpoint, over HTTP."""

from __future__ import annotations

import asyncio
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import httpx

from activities.client import acknowledge_critical_value
from api.app import create_app
from consortium.access import tokens
from consortium.access.seed import seed_sample_users
from runtime.services import temporal
from runtime.settings import Settings
from runtime.waiting import until
from tests.canary import sightings
from tests.integration.bus.clinic import engine_of
from tests.integration.workflows.conftest import Reader, critical_potassium, temporal_server, worker
from tests.serving import served
from workflows.critical_value.model import workflow_id

TOKEN_KEY = "a key for tests only, 32 bytes or more"
NOTE = "金丝雀𠮷安珅的血钾"


def shown(settings: Settings, folder: Path, workflow: str, *codec: str) -> subprocess.CompletedProcess[str]:
    """Run `temporal workflow show`."""
    address = ("--address", settings.temporal_address)
    return subprocess.run(
        [str(temporal.locate()), "workflow", "show", "-w", workflow, "-o", "json", *address, *codec],
        env={"HOME": str(folder), "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


def test_temporals_command_line_reads_with_the_token_of_who_is_permitted(
    settings: Settings, tmp_path: Path, reader: Reader
) -> None:
    with engine_of(settings.database_url).begin() as connection:
        seed_sample_users(connection, "a password for tests")
    identifier = critical_potassium(settings.database_url)
    told = settings.model_copy(update={"token_key": TOKEN_KEY, "routing_key": "a key for tests"})

    def codec(user: str, host: str) -> tuple[str, ...]:
        token = tokens.issue(user, TOKEN_KEY, datetime.now(UTC))
        endpoint = f"http://{host}/api/v1/temporal/codec/{{namespace}}"
        return "--codec-endpoint", endpoint, "--codec-auth", f"Bearer {token}"

    with temporal_server(settings, tmp_path), worker(tmp_path), served(create_app(told)) as host:
        assert until(lambda: bool(reader.told()), 30)
        asyncio.run(acknowledge_critical_value(settings, identifier, "doctor.main", NOTE, "key-1"))
        workflow = workflow_id(identifier)
        permitted = shown(settings, tmp_path, workflow, *codec("engineer", host))
        refused = shown(settings, tmp_path, workflow, *codec("ops", host))
        plain = shown(settings, tmp_path, workflow)
    assert permitted.returncode == 0, permitted.stderr
    assert sightings(NOTE, [("history", permitted.stdout.encode())])
    assert sightings(NOTE, [("refused", (refused.stdout + refused.stderr).encode())]) == []
    assert sightings(NOTE, [("plain", plain.stdout.encode())]) == []
    assert plain.returncode == 0, plain.stderr
    audited = reader.ask(
        "SELECT username, outcome, resource FROM access.audit WHERE action = 'workflow-payload.read'"
    )
    assert ("engineer", "allowed", f"workflow {workflow}") in audited
    assert {(user, outcome) for user, outcome, _ in audited} == {("engineer", "allowed"), ("ops", "refused")}


def test_the_ui_that_up_starts_knows_the_endpoint(settings: Settings, tmp_path: Path) -> None:
    with temporal_server(settings, tmp_path):
        ui = f"http://127.0.0.1:{settings.temporal_ui_port}"
        answer = httpx.get(f"{ui}/api/v1/settings", timeout=30, trust_env=False)
    endpoint = f"http://127.0.0.1:{settings.api_port}/api/v1/temporal/codec/default"
    assert answer.json()["Codec"]["Endpoint"] == endpoint == temporal.codec_endpoint(settings)
