"""A listener on a free port, with the real inbox."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from adapters.mllp.client import Client
from adapters.mllp.server import Listener
from adapters.mllp.settings import MllpSettings
from bus.inbox import Inbox
from tests.conftest import CHECKOUT

SETTINGS = MllpSettings(
    "127.0.0.1", 0, {"MAIN": "utf-8", "HP": "gb18030"}, body_limit=32 * 1024 * 1024, patience=0.0
)


@pytest.fixture
def settings() -> MllpSettings:
    """What the listener is told; a test module or parameter may give another."""
    return SETTINGS


@pytest.fixture
async def listener(settings: MllpSettings, database_url: str) -> AsyncIterator[Listener]:
    """A listener that runs."""
    async with Inbox(database_url, "key", patience=settings.patience) as inbox:
        listener = Listener(settings, inbox)
        await listener.start()
        yield listener
        await listener.stop()


@pytest.fixture
async def client(listener: Listener) -> AsyncIterator[Client]:
    """A client of that listener."""
    async with Client("127.0.0.1", listener.port, timeout=20) as client:
        yield client


@pytest.fixture
def messages_list(database_url: str) -> Callable[..., list[dict[str, Any]]]:
    """`./yilian messages list --json`, as a program calls it."""

    def ask(*arguments: str) -> list[dict[str, Any]]:
        program = "import sys; from bus.console import messages_main; sys.exit(messages_main(sys.argv[1:]))"
        done = subprocess.run(
            [sys.executable, "-c", program, "list", "--json", *arguments],
            env={**os.environ, "YILIAN_DATABASE_URL": database_url},
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)["messages"]
        return found

    return ask


Rows = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def rows(database_url: str) -> Rows:
    """Ask the database."""

    def ask(query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(database_url, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    return ask


@pytest.fixture
def told(settings: MllpSettings) -> Callable[..., MllpSettings]:
    """Settings with some changed."""
    return lambda **changed: replace(settings, **changed)


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition may be a row in the database, which sets no event
            await asyncio.sleep(0.01)
