"""What the video server told reaches the consultation's workflow as a signal; without one it ends there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import pytest
from pydantic import ValidationError
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.starts import deliveries, report_video
from workflows.teleconsult.model import VideoEvent

CONSULTATION, HOST = UUID(int=0xC0), UUID(int=0xA1)
PAYLOAD = {
    "kind": "participant_joined",
    "consultation_id": str(CONSULTATION),
    "participant_id": str(HOST),
    "at": "2026-11-25T06:00:00+00:00",
}


class Workflows:
    """Stands in for Temporal; fails as it is told."""

    def __init__(self, error: RPCStatusCode | None = None) -> None:
        self.error = error
        self.told: list[tuple[str, str, VideoEvent]] = []

    def get_workflow_handle(self, workflow: str) -> Workflows:
        self.workflow = workflow
        return self

    async def signal(self, name: str, event: VideoEvent, **_: Any) -> None:
        if self.error is not None:
            raise RPCError("no", self.error, b"")
        self.told.append((self.workflow, name, event))


def client(workflows: Workflows) -> Client:
    return cast("Client", workflows)


async def test_an_event_is_signalled_with_the_id_by_which_it_is_known_again() -> None:
    workflows = Workflows()
    assert await report_video(client(workflows), "EV_1", PAYLOAD) == f"consultation-{CONSULTATION}"
    at = datetime(2026, 11, 25, 6, tzinfo=UTC)
    event = VideoEvent(
        event_id="EV_1", consultation_id=CONSULTATION, kind="participant_joined", participant_id=HOST, at=at
    )
    assert workflows.told == [(f"consultation-{CONSULTATION}", "video", event)]


async def test_a_consultation_without_a_workflow_needs_no_signal() -> None:
    await report_video(client(Workflows(RPCStatusCode.NOT_FOUND)), "EV_1", PAYLOAD)


async def test_a_server_that_is_away_is_tried_again() -> None:
    with pytest.raises(RPCError):
        await report_video(client(Workflows(RPCStatusCode.UNAVAILABLE)), "EV_1", PAYLOAD)


async def test_what_is_malformed_is_refused() -> None:
    with pytest.raises(ValidationError):
        await report_video(client(Workflows()), "EV_1", {**PAYLOAD, "kind": "something"})


def test_the_outbox_knows_the_event() -> None:
    assert deliveries((10.0, 10.0))["consultation-video"] is report_video
