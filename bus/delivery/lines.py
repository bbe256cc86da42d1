"""The lines to all destinations: each file has one, and a changed file gets a new one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import sqlalchemy as sa
import structlog

from bus.delivery.line import Line
from bus.delivery.transport import Transport
from bus.rules.destinations import AnyDestination, load_destinations
from bus.rules.versions.described import Described, Look, State
from consortium.errors import PermanentError

log = structlog.get_logger("bus.delivery")

LOOK = 0.5
"""Seconds between looks at what is deployed: so long a line may stand still after a deployment."""
AGAIN = 60.0
"""Seconds until a destination that could not be started is tried again: its certificate may be there now."""

Connect = Callable[[AnyDestination, Path], Transport]
"""Makes the transport of a destination, with the folder of what its file pins; raises PermanentError when its
files or secret are missing.
"""


class Lines:
    """Runs a line for each destination file, whatever becomes of the others."""

    def __init__(self, look: Look, conninfo: str, connect: Connect) -> None:
        self._look = look
        self._conninfo = conninfo
        self._connect = connect
        self._running: dict[str, tuple[Line, asyncio.Task[None]]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._problems: dict[str, str] = {}
        self._state: State | None = None
        self._again = 0.0
        self._unread = ""
        """Why the destinations could not be looked at."""
        self._pinned: dict[str, Mapping[str, bytes]] = {}
        """The files in each destination's folder, as its line read them."""

    def detail(self) -> Mapping[str, Any]:
        """Return each destination's state, for the heartbeat: no patient data."""
        unread = {"problem": self._unread} if self._unread else {}
        lines = {name: {**line.detail(), **unread} for name, (line, _) in sorted(self._running.items())}
        return lines | {name: {"problem": text} for name, text in sorted(self._problems.items())}

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop`; then what is on the wire gets some seconds."""
        stopping = asyncio.create_task(stop.wait())
        while not stop.is_set():
            await self._follow()
            await asyncio.wait({stopping}, timeout=LOOK)
        for name in list(self._running):
            self._end(name)
        if self._ending:
            await asyncio.wait(self._ending)

    async def _follow(self) -> None:
        """Take in what is deployed now, if it is something else. What cannot be read changes no line."""
        anew = bool(self._problems) and monotonic() >= self._again
        try:
            found = await asyncio.to_thread(self._look, None if anew else self._state)
            if found is not None:
                with found:
                    self._take(found)
        except (sa.exc.SQLAlchemyError, OSError, PermanentError) as error:
            self._cannot_look(error)
            return
        self._unread = ""

    def _cannot_look(self, error: Exception) -> None:
        # What SQLAlchemy says quotes statements; and without the database no line goes on anyhow.
        database = isinstance(error, sa.exc.SQLAlchemyError)
        reason = f"the database: {type(error).__name__}" if database else str(error)
        told = f"the destinations of the deployed rules cannot be read: {reason}"
        if told != self._unread:
            log.error("destinations_not_read", reason=reason)
        self._unread = told

    def _take(self, now: Described) -> None:
        """Start, replace and end lines as the files say. One with a mistake leaves its line as it is, which
        takes no message of the set that it is a mistake in.
        """
        found = load_destinations(now.folder)
        self._problems = {}
        for error in found.errors:
            log.error("destination_refused", reason=str(error))
            self._problems[Path(error.file).stem] = str(error)
        for name in set(self._running) - set(found.by_name) - set(self._problems):
            self._end(name)
        for name, spec in found.by_name.items():
            folder = found.folders[name]
            pinned = {path.name: path.read_bytes() for path in folder.glob("*") if path.is_file()}
            known = self._running.get(name)
            if known is None or known[0].spec != spec or self._pinned.get(name) != pinned:
                self._start(name, spec, folder)
            if name not in self._problems:
                self._pinned[name] = pinned
                self._running[name][0].version = now.version
        self._state, self._again = now.state, monotonic() + AGAIN

    def _start(self, name: str, spec: AnyDestination, folder: Path) -> None:
        try:
            transport = self._connect(spec, folder)
        except PermanentError as error:
            log.error("destination_refused", destination=name, reason=str(error))  # noqa: TRY400 - told wholly
            self._problems[name] = str(error)
            return
        self._end(name)  # the new one waits until the old one has let go of the destination
        line = Line(spec, transport, self._conninfo)
        self._running[name] = line, asyncio.create_task(line.run(), name=f"line-{name}")
        log.info("destination_started", destination=name, kind=spec.kind)

    def _end(self, name: str) -> None:
        if name in self._running:
            line, task = self._running.pop(name)
            line.stop()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
