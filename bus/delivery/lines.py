"""The lines to all destinations: each file has one, and a changed file gets a new one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from bus.delivery.line import Line
from bus.delivery.transport import Transport
from bus.rules.destinations import AnyDestination, load_destinations
from consortium.errors import PermanentError

log = structlog.get_logger("bus.delivery")

LOOK = 2.0
"""Seconds between looks at the files."""

Connect = Callable[[AnyDestination], Transport]
"""Makes the transport of a destination; raises PermanentError when its files or secret are missing."""


class Lines:
    """Runs a line for each destination file, whatever becomes of the others."""

    def __init__(self, rules_dir: Path, conninfo: str, connect: Connect) -> None:
        self._rules_dir = rules_dir
        self._conninfo = conninfo
        self._connect = connect
        self._running: dict[str, tuple[Line, asyncio.Task[None]]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._problems: dict[str, str] = {}
        self._files: tuple[object, ...] = ()
        self._beside: dict[str, tuple[object, ...]] = {}
        """The files in each destination's folder, as its line read them."""

    def detail(self) -> Mapping[str, Any]:
        """Return each destination's state, for the heartbeat: no patient data."""
        lines = {name: line.detail() for name, (line, _) in sorted(self._running.items())}
        return lines | {name: {"problem": text} for name, text in sorted(self._problems.items())}

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop`; then what is on the wire gets some seconds."""
        stopping = asyncio.create_task(stop.wait())
        while not stop.is_set():
            self._look()
            await asyncio.wait({stopping}, timeout=LOOK)
        for name in list(self._running):
            self._end(name)
        if self._ending:
            await asyncio.wait(self._ending)

    def _look(self) -> None:
        """Start, replace and end lines as the files say. One with a mistake leaves its line as it is."""
        files = tuple(
            (str(path), (stat := path.stat()).st_mtime_ns, stat.st_size)
            for path in sorted((self._rules_dir / "destinations").rglob("*"))
            if path.is_file()
        )
        if files == self._files:
            return
        self._files = files
        found = load_destinations(self._rules_dir)
        self._problems = {}
        for error in found.errors:
            log.error("destination_refused", reason=str(error))
            self._problems[Path(error.file).stem] = str(error)
        for name in set(self._running) - set(found.by_name) - set(self._problems):
            self._end(name)
        for name, spec in found.by_name.items():
            beside = tuple(file for file in files if Path(file[0]).parent.name == name)
            known = self._running.get(name)
            if known is None or known[0].spec != spec or self._beside.get(name) != beside:
                self._beside[name] = beside
                self._start(name, spec)

    def _start(self, name: str, spec: AnyDestination) -> None:
        try:
            transport = self._connect(spec)
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
