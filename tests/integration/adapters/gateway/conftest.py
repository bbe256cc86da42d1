"""A hub and a gateway, and a way to look at what came out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.mllp.client import Client
from tests.gateways import Place


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> Place:
    """Where this test's hub and gateway are."""
    return Place(tmp_path, database_url)


Rows = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def rows(database_url: str) -> Rows:
    """Ask the hub's database."""

    def ask(query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(database_url, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    return ask


def adt(
    control_id: str, *, name: str = "欧阳珅", facility: str = "HP", charset: str = "UNICODE UTF-8"
) -> bytes:
    """Return an ADT^A08 of a patient."""
    codec = "gb18030" if charset.startswith("GB") else "utf-8"
    text = (
        f"MSH|^~\\&|HIS|{facility}|BUS|HUB|20261120||ADT^A08^ADT_A01|{control_id}|P|2.5|||||||{charset}\r"
        f"PID|1||P{control_id}||{name}\r"
    )
    return text.encode(codec)


async def send(port: int, *messages: bytes) -> list[str]:
    """Send over MLLP, one after the other; return the codes."""
    async with Client("127.0.0.1", port, timeout=20) as client:
        return [(await client.send(message)).code for message in messages]


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition is a row in another program's file
            await asyncio.sleep(0.02)
