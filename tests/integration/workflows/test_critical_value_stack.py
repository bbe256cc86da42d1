"""From a critical result in PostgreSQL over Temporal to a person's acknowledgement, with real servers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.client import acknowledge_critical_value
from consortium.errors import ConflictError, RetryableError
from runtime.settings import Settings
from runtime.waiting import until
from tests.integration.workflows.conftest import (
    CORRECTED,
    Reader,
    critical_potassium,
    record,
    temporal_server,
    worker,
)
from workflows.critical_value.model import Acknowledged, workflow_id

EVERYBODY = [("ordering_doctor", "D17", 0), ("medical_affairs", None, 1), ("medical_affairs", None, 2)]
"""The report names a doctor and no department, so the first escalation goes to medical affairs."""

Acknowledge = Callable[..., Acknowledged]


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for the calls of a test; the servers are started and asked outside it."""
    with asyncio.Runner() as made:
        yield made


@pytest.fixture
def acknowledge(settings: Settings, runner: asyncio.Runner) -> Acknowledge:
    """What the API calls."""
    return lambda *arguments: runner.run(acknowledge_critical_value(settings, *arguments))


async def _history(settings: Settings, workflow: str) -> str:
    """Return what the server keeps, as anybody with access to it reads it."""
    plain = await Client.connect(settings.temporal_address)
    return (await plain.get_workflow_handle(workflow).fetch_history()).to_json()


def test_a_critical_value_is_told_acknowledged_and_recorded(
    settings: Settings, tmp_path: Path, reader: Reader, acknowledge: Acknowledge
) -> None:
    identifier = critical_potassium(settings.database_url)
    with temporal_server(settings, tmp_path), worker(tmp_path):
        assert until(lambda: reader.told() == EVERYBODY[:1], 30)
        recorded = acknowledge(identifier, "doctor.main", "已补钾", "key-1")
        assert recorded.user == "doctor.main"
        assert reader.state(identifier) == ("acknowledged", "doctor.main")
        assert reader.outbox() == (True, 1, None)

        again = acknowledge(identifier, "doctor.main", "已补钾", "key-1")
        assert again == recorded, "the same key gives the first result, also after the workflow ended"
        with pytest.raises(ConflictError, match="not open"):
            acknowledge(identifier, "duty.main", "", "key-2")
        assert reader.state(identifier) == ("acknowledged", "doctor.main")


def test_nobody_answers_and_it_goes_up_the_ladder_once_each_though_the_worker_is_killed(
    settings: Settings, tmp_path: Path, reader: Reader, acknowledge: Acknowledge
) -> None:
    identifier = critical_potassium(settings.database_url)
    with temporal_server(settings, tmp_path):
        with worker(tmp_path, "first") as first:
            assert until(lambda: reader.told() == EVERYBODY[:1], 30)
            first.kill()
        with worker(tmp_path, "second"):
            assert until(lambda: reader.told() == EVERYBODY, 60)
            assert reader.state(identifier) == ("escalated", None)
            recorded = acknowledge(identifier, "duty.main", "", "k")
    assert recorded.critical_value_id == identifier
    assert reader.told() == EVERYBODY
    assert reader.state(identifier) == ("acknowledged", "duty.main")


def test_a_corrected_result_ends_it_and_everybody_told_is_told(
    settings: Settings, tmp_path: Path, reader: Reader, acknowledge: Acknowledge
) -> None:
    identifier = critical_potassium(settings.database_url)
    with temporal_server(settings, tmp_path), worker(tmp_path):
        assert until(lambda: reader.told() == EVERYBODY[:1], 30)
        assert record(settings.database_url, CORRECTED) == [f"critical-withdrawn:{identifier}"]
        withdrawn = (
            "SELECT duty, recipient FROM workflow.notification WHERE subject = 'critical_value_withdrawn'"
        )
        assert until(lambda: ("ordering_doctor", "D17") in reader.ask(withdrawn), 30)
        with pytest.raises(ConflictError):
            acknowledge(identifier, "doctor.main", "", "k")
    assert reader.state(identifier) == ("withdrawn", None)


def test_an_event_waits_in_the_outbox_while_temporal_is_away(
    settings: Settings, tmp_path: Path, reader: Reader, acknowledge: Acknowledge
) -> None:
    identifier = critical_potassium(settings.database_url)
    with worker(tmp_path):
        with temporal_server(settings, tmp_path):
            assert until(lambda: reader.outbox()[0], 30)
        later = critical_potassium(settings.database_url, "R2")
        assert later != identifier
        undelivered = "SELECT attempts, last_error FROM bus.outbox WHERE delivered_at IS NULL"
        assert until(lambda: any(a >= 1 and e for a, e in reader.ask(undelivered)), 30)
        with pytest.raises(RetryableError):
            acknowledge(later, "doctor.main", "", "k")
        with temporal_server(settings, tmp_path):
            assert until(lambda: reader.ask(undelivered) == [], 60)
            assert until(lambda: len([t for t in reader.told() if t[2] == 0]) == 2, 60)


def test_what_temporal_keeps_is_encrypted(
    settings: Settings, tmp_path: Path, reader: Reader, acknowledge: Acknowledge, runner: asyncio.Runner
) -> None:
    identifier = critical_potassium(settings.database_url)
    with temporal_server(settings, tmp_path), worker(tmp_path):
        assert until(lambda: reader.told() == EVERYBODY[:1], 30)
        acknowledge(identifier, "doctor.main", "张珅的血钾", "key-1")
        written = runner.run(_history(settings, workflow_id(identifier)))
    for secret in ("doctor.main", "张珅", "D17", "7.1"):
        assert secret not in written
    log = (tmp_path / "worker.log").read_text()
    assert "张珅" not in log
    assert "worker_ready" in log


def test_a_note_that_cannot_be_stored_is_refused_and_holds_up_no_escalation(
    settings: Settings, tmp_path: Path, reader: Reader, acknowledge: Acknowledge
) -> None:
    identifier = critical_potassium(settings.database_url)
    with temporal_server(settings, tmp_path), worker(tmp_path):
        assert until(lambda: reader.told() == EVERYBODY[:1], 30)
        with pytest.raises(ConflictError, match="cannot store"):
            acknowledge(identifier, "doctor.main", "已补钾\0", "key-1")
        assert until(lambda: reader.told() == EVERYBODY, 60)
