"""The sources that are polled: those of the deployed rules whose place is set, each by its own thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import structlog

from adapters.files.server import Poller
from adapters.files.settings import Source, sources
from bus.campuses.following import take_from
from bus.rules.versions.described import Following, Look
from consortium.errors import PermanentError
from runtime.campuses import Roster

log = structlog.get_logger("adapters.files")

BELOW = ("campuses/",)
"""Where sources lie in a rule set."""
LOOK = 1.0
"""Seconds between looks at what is deployed."""

Open = Callable[[Source], Poller]
"""Makes the poller of a source; raises WrongPlaceError, or PermanentError when it has no campus here."""


class WrongPlaceError(PermanentError):
    """The setting of a place is wrong: it ends a start, and later keeps its source alone from polling."""


class Sources:
    """Polls every source. One whose description or campus changes ends the file at hand by the old one."""

    def __init__(
        self,
        look: Look,
        places: frozenset[str],
        opened: Open,
        stop: threading.Event,
        roster: Roster | None = None,
    ) -> None:
        """`places`: names of the sources that have one. `roster` goes by the campuses that are deployed with
        them.
        """
        self._roster = roster
        self._deployed = Following(look, lambda reason: log.error("sources_not_read", reason=reason))
        self._places = places
        self._opened = opened
        self._stop = stop
        self._started = False
        self._wanted: Mapping[str, Source] = {}
        self._running: dict[str, tuple[Poller, Future[None]]] = {}
        self._problems: dict[str, str] = {}

    def detail(self) -> Mapping[str, Any]:
        """Return what the heartbeat shows: counts and states, no patient data."""
        running = dict(self._running)
        problem = {"problem": self._deployed.unread} if self._deployed.unread else {}
        problems = {name: {"state": "refused", "reason": text} for name, text in dict(self._problems).items()}
        polled = {name: poller.detail() for name, (poller, _) in running.items()}
        return {"sources": len(running), **problem, **polled, **problems}

    def run(self) -> None:
        """Poll until told to stop. A fault of ours in a poller is raised: the supervisor starts anew."""
        with ThreadPoolExecutor(max(1, len(self._places)), "source") as threads:
            try:
                while not self._stop.is_set():
                    self.follow(threads)
                    self._stop.wait(LOOK)
            finally:
                self._stop.set()
        for _, done in self._running.values():
            done.result()

    def follow(self, threads: ThreadPoolExecutor) -> None:
        """Take in what is deployed now; start and end pollers as it says. Raises what a poller raised."""
        self._deployed.follow(self._take)
        for name, (poller, done) in list(self._running.items()):
            if done.done():
                done.result()
                del self._running[name]
            elif self._wanted.get(name) != poller.source:
                poller.leave()
        for name in self._wanted.keys() - self._running.keys() - self._problems.keys():
            self._start(self._wanted[name], threads)
        self._started = self._started or self._deployed.begun

    def _take(self, folder: Path) -> None:
        described = sources(folder)
        if self._roster is not None and take_from(folder, self._roster):
            self._open_anew()
        self._wanted = {one.name: one for one in described if one.name in self._places}
        self._problems = {}

    def _open_anew(self) -> None:
        """Let every poller end its file: it reads by its campus as that was when it was opened."""
        for poller, _ in self._running.values():
            poller.leave()

    def _start(self, source: Source, threads: ThreadPoolExecutor) -> None:
        try:
            poller = self._opened(source)
        except PermanentError as error:
            if isinstance(error, WrongPlaceError) and not self._started:
                raise
            log.error("source_refused", source=source.name, reason=str(error))  # noqa: TRY400 - told wholly
            self._problems[source.name] = str(error)
            return
        self._running[source.name] = poller, threads.submit(poller.run)
        log.info("source_started", source=source.name)
