"""The teller as a task of a process: it looks every second, and again at once while there is more."""

from __future__ import annotations

import asyncio

import sqlalchemy as sa
import structlog

from bus.master_data.telling import Teller

log = structlog.get_logger("bus.master_data")

LOOK = 1.0
"""Seconds between looks."""


async def tell(teller: Teller) -> None:
    """Tell until cancelled. A database that is away is waited for; of what failed, the log says it once."""
    failing = ""
    while True:
        more = False
        try:
            more = await asyncio.to_thread(teller.step)
            failing = ""
        except (sa.exc.OperationalError, sa.exc.TimeoutError) as error:
            failing = _once(failing, type(error).__name__)
        except Exception as error:
            if failing != type(error).__name__:
                log.exception("subscribers_not_told")
            failing = type(error).__name__
        await asyncio.sleep(LOOK / 20 if more else LOOK)


def _once(before: str, now: str) -> str:
    if before != now:
        log.warning("subscribers_wait", error=now)
    return now
