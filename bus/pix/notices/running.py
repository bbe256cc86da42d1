"""The notifier as a task of a process: it looks every second, and again at once while there is more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa
import structlog

from bus.pix.notices.notifier import Notifier
from bus.rules.destinations import MllpDestination, load_destinations

log = structlog.get_logger("bus.pix.notices")

LOOK = 1.0
"""Seconds between looks."""


class Files:
    """The destinations that are told, read again when their files change."""

    def __init__(self, rules_dir: Path) -> None:
        self._folder = rules_dir
        self._state: tuple[object, ...] | None = None
        self._found: Sequence[MllpDestination] = ()

    def found(self) -> Sequence[MllpDestination]:
        """Return them as their files say now. A file with a mistake is delivery's to report."""
        paths = sorted((self._folder / "destinations").glob("*.yaml"))
        state = tuple((str(path), (stat := path.stat()).st_mtime_ns, stat.st_size) for path in paths)
        if state != self._state:
            loaded = load_destinations(self._folder).by_name.values()
            self._found = [one for one in loaded if isinstance(one, MllpDestination) and one.pix]
            self._state = state
        return self._found


async def notify(notifier: Notifier, files: Files) -> None:
    """Tell until cancelled. A database that is away is waited for."""
    away = False
    while True:
        try:
            more = await asyncio.to_thread(lambda: notifier.step(files.found()))
            away = False
        except (sa.exc.OperationalError, sa.exc.TimeoutError) as error:
            if not away:
                log.warning("notices_wait", error=type(error).__name__)
            more, away = False, True
        except Exception:
            log.exception("notices_failed")
            more = False
        await asyncio.sleep(LOOK / 10 if more else LOOK)
