"""New notifications as server-sent events, over a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from api.v1 import notification_stream
from consortium.notifications.inbox import Reader, mark_read
from consortium.notifications.queue import ask
from tests.integration.api.conftest import As
from tests.integration.bus.notifying.rig import COORDINATOR, received
from tests.serving import served


def events(lines: Iterator[str]) -> Iterator[list[int]]:
    """Give what each event says."""
    for line in lines:
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))["unread"]


def test_an_event_tells_what_waits_whenever_that_is_other(
    app: FastAPI, as_: As, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notification_stream, "LOOK", 0.05)
    with (
        served(app) as place,
        httpx.stream(
            "GET",
            f"http://{place}/api/v1/notifications/stream",
            headers=as_(COORDINATOR),
            timeout=20,
            trust_env=False,
        ) as answer,
    ):
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        told = events(answer.iter_lines())
        assert next(told) == []
        with engine.begin() as connection:
            ask(connection, received())
        [first] = next(told)
        with engine.begin() as connection:
            ask(connection, received("other"))
            ask(connection, received("not mine", recipient="doctor.main"))
        second, again = next(told)
        assert again == first
        with engine.begin() as connection:
            assert mark_read(connection, Reader(COORDINATOR), first)
        assert next(told) == [second]


async def test_a_stream_is_nobodys_who_is_not_signed_in(client: httpx.AsyncClient, as_: As) -> None:
    path = "/api/v1/notifications/stream"
    assert (await client.get(path)).status_code == 401
    assert (await client.get(path, headers=as_("system.huangpu"))).status_code == 403


async def test_a_stream_ends_and_says_when_to_come_again(
    client: httpx.AsyncClient, as_: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notification_stream, "LOOK", 0.01)
    monkeypatch.setattr(notification_stream, "LASTS", 0.05)
    answer = await client.get("/api/v1/notifications/stream", headers=as_(COORDINATOR))
    assert answer.text.startswith('retry: 2000\n\nevent: unread\ndata: {"unread": []}\n\n')
