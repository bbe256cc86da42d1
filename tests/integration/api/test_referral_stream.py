"""Worklists of referrals as server-sent events, over a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from api.v1 import notification_stream
from consortium.referral.model import Party, Step
from tests.integration.api.conftest import As
from tests.integration.consortium.referral.applications import Case
from tests.serving import served

PATH = "/api/v1/referrals/worklists/stream"


def events(lines: Iterator[str]) -> Iterator[Any]:
    for line in lines:
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))["worklists"]


def test_an_event_tells_whenever_something_else_waits_for_ones_role(
    app: FastAPI, as_: As, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notification_stream, "LOOK", 0.05)
    with (
        served(app) as place,
        httpx.stream(
            "GET", f"http://{place}{PATH}", headers=as_("coordinator.main"), timeout=20, trust_env=False
        ) as answer,
    ):
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        told = events(answer.iter_lines())
        assert next(told) == []
        with engine.begin() as connection:
            case = Case(connection, now=datetime.now(UTC)).begin()
            case.take(Step.SUBMIT, Party.SENDING_DOCTOR)
        assert next(told) == [{"state": "submitted", "count": 1, "escalated": 0}]
        with engine.begin() as connection:
            again = Case(connection, id=case.id, now=datetime.now(UTC))
            again.take(Step.ESCALATE, Party.SYSTEM, user=None, key="escalate")
        assert next(told) == [{"state": "submitted", "count": 1, "escalated": 1}]


async def test_a_stream_is_for_those_who_work_on_referrals(client: httpx.AsyncClient, as_: As) -> None:
    assert (await client.get(PATH)).status_code == 401
    assert (await client.get(PATH, headers=as_("ops"))).status_code == 403
