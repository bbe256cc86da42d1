"""Plays a day of the main campus against the platform's MLLP listener."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack

from adapters.mllp.client import Client
from runtime.settings import Settings
from simulators.delivery import Delivery
from simulators.main_campus.day import day
from simulators.main_campus.message import APPLICATIONS
from simulators.main_campus.sender import Connection, send_day
from simulators.plan import Plan


async def play(settings: Settings, plan: Plan, told: Callable[[Delivery], None]) -> list[Delivery]:
    """Send the day over one connection for each application; raises SimulatorError."""
    async with AsyncExitStack() as stack:
        connections: dict[str, Connection] = {}
        for application in APPLICATIONS:
            client = Client(settings.mllp_host, settings.mllp_port)
            connections[application.code] = await stack.enter_async_context(client)
        return await send_day(day(plan.seed, plan.day, plan.scale), connections, told)
