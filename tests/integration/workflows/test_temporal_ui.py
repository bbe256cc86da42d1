"""The Temporal UI in a browser: shows what workflows carry to whom is permitted, after they signed in."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path

from temporalio.client import Client

from activities.client import acknowledge_critical_value
from api.app import create_app
from consortium.access.seed import seed_sample_users
from runtime.services import temporal
from runtime.settings import Settings
from runtime.waiting import until
from tests.browser import Page, page
from tests.integration.bus.clinic import engine_of
from tests.integration.workflows.conftest import Reader, critical_potassium, temporal_server, worker
from tests.serving import served
from workflows.critical_value.model import workflow_id

PASSWORD = "a password for tests"
WHO = "duty.doctor.7"
"""Whom the workflow's result names: it is encrypted."""


def sign_in(browser: Page, api: str, username: str) -> str:
    """Sign in on the page `/temporal`; return what it answers."""
    browser.open(f"http://{api}/temporal")
    for name, value in (("username", username), ("password", PASSWORD)):
        browser.run(f"document.getElementById('{name}').value = {json.dumps(value)}")
    browser.run("document.getElementById('sign-in').requestSubmit()")
    assert browser.holds("document.getElementById('answer').textContent")
    return str(browser.run("document.getElementById('answer').textContent"))


def look(browser: Page, ui: str, workflow: str, endpoint: str) -> None:
    """Set the browser up as docs/workflows.md says, and open the workflow."""
    browser.open(ui)
    chosen = {"endpoint": endpoint, "includeCredentials": True, "overrideRemoteCodecConfiguration": True}
    for name, value in chosen.items():
        browser.run(f"localStorage.setItem('{name}', {json.dumps(json.dumps(value))})")
    browser.open(f"{ui}/namespaces/default/workflows/{workflow}")
    assert browser.holds(f"document.body.innerText.includes('{workflow}')")


async def encrypted_result(settings: Settings, workflow: str) -> str:
    """Return the workflow's result as Temporal stores it, in Base64."""
    client = await Client.connect(settings.temporal_address)
    [*_, last] = [event async for event in client.get_workflow_handle(workflow).fetch_history_events()]
    [payload] = last.workflow_execution_completed_event_attributes.result.payloads
    assert payload.metadata["encoding"] == b"binary/encrypted"
    return base64.b64encode(payload.data).decode()


def test_the_ui_shows_a_workflow_decrypted_to_who_is_permitted_and_signed_in(
    settings: Settings, tmp_path: Path, reader: Reader
) -> None:
    with engine_of(settings.database_url).begin() as connection:
        seed_sample_users(connection, PASSWORD)
    told = settings.model_copy(
        update={"token_key": "a key for tests only, 32 bytes or more", "routing_key": "a key for tests"}
    )
    identifier = critical_potassium(settings.database_url)
    workflow, ui = workflow_id(identifier), f"http://127.0.0.1:{settings.temporal_ui_port}"
    with temporal_server(settings, tmp_path), worker(tmp_path), served(create_app(told)) as api:
        assert until(lambda: bool(reader.told()), 30)
        asyncio.run(acknowledge_critical_value(settings, identifier, WHO, "", "key-1"))
        endpoint = f"http://{api}/api/v1/temporal/codec/default"
        with page(tmp_path / "permitted") as browser:
            assert "已登录" in sign_in(browser, api, "engineer")
            assert browser.run("document.cookie") == "", "no script reads it"
            look(browser, ui, workflow, endpoint)
            assert browser.holds(f"document.body.innerText.includes('{WHO}')"), browser.text
        with page(tmp_path / "not permitted") as browser:
            assert "permission given by name" in sign_in(browser, api, "ops")
            look(browser, ui, workflow, endpoint)
            cipher = asyncio.run(encrypted_result(settings, workflow))
            assert browser.holds(f"document.body.innerText.includes('{cipher[:40]}')"), browser.text
            assert "could not connect" in browser.text
            assert WHO not in browser.text
    decoded = reader.ask(
        "SELECT DISTINCT username, outcome, resource FROM access.audit"
        " WHERE action = 'workflow-payload.read' AND reason LIKE '%decoded'"
    )
    assert decoded == [("engineer", "allowed", f"workflow {workflow}")]
    assert temporal.codec_endpoint(settings).endswith("/api/v1/temporal/codec/default")
