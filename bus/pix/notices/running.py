"""The notifier as a task of a process: it looks every second, and again at once while there is more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa
import structlog

from bus.pix.notices.notifier import Noticed, Notifier
from bus.rules.versions.destinations import CurrentDestinations

log = structlog.get_logger("bus.pix.notices")

LOOK = 1.0
"""Seconds between looks."""


class Told:
    """The destinations that are told, as the deployed rules describe them."""

    def __init__(self, engine: sa.Engine, rules_dir: Path) -> None:
        """`rules_dir`: where destinations are before the first set is deployed."""
        self._engine = engine
        self._destinations = CurrentDestinations(rules_dir)

    def found(self) -> Sequence[Noticed]:
        """Return them. A file with a mistake is delivery's to report. Raises SQLAlchemy's errors."""
        with self._engine.connect() as connection:
            known = self._destinations.get(connection).values()
        return [one for one in known if isinstance(one, Noticed) and one.pix]


async def notify(notifier: Notifier, told: Told) -> None:
    """Tell until cancelled. A database that is away is waited for."""
    away = False
    while True:
        try:
            more = await asyncio.to_thread(lambda: notifier.step(told.found()))
            away = False
        except (sa.exc.OperationalError, sa.exc.TimeoutError) as error:
            if not away:
                log.warning("notices_wait", error=type(error).__name__)
            more, away = False, True
        except Exception:
            log.exception("notices_failed")
            more = False
        await asyncio.sleep(LOOK / 10 if more else LOOK)
