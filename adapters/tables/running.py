"""The campuses whose open tables are polled: those that the deployed rules describe and whose database is
set, each by its own thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from adapters.tables.server import Poller
from adapters.tables.settings import Campus, campuses
from bus.rules.versions.described import Following, Look
from consortium.errors import PermanentError
from runtime.campuses import of_today

log = structlog.get_logger("adapters.tables")

BELOW = ("campuses/",)
"""Where descriptions lie in a rule set."""
LOOK = 1.0
"""Seconds between looks at what is deployed."""
MOST = 128
"""Campuses polled at a time."""

Opened = Callable[[Campus, threading.Event], AbstractContextManager[Poller]]
"""Gives the poller of a campus, which ends once the event is set; raises PermanentError for a wrong URL."""


@dataclass(frozen=True, slots=True)
class _Running:
    poller: Poller
    stop: threading.Event
    done: Future[None]


class Campuses:
    """Polls every campus. One whose description changes ends the page at hand by the old one."""

    def __init__(
        self,
        look: Look,
        rules_dir: Path,
        has_url: Callable[[Campus], bool],
        opened: Opened,
        stop: threading.Event,
    ) -> None:
        """`rules_dir`: for a deployed set of before tables were described in it."""
        self._deployed = Following(look, lambda reason: log.error("tables_not_read", reason=reason))
        self._dir = rules_dir
        self._has_url = has_url
        self._opened = opened
        self._stop = stop
        self._wanted: Mapping[str, Campus] = {}
        self._running: dict[str, _Running] = {}
        self._problems: dict[str, str] = {}

    def detail(self) -> Mapping[str, Any]:
        """Return what the heartbeat shows: counts and states by campus, no patient data."""
        problem = {"problem": self._deployed.unread} if self._deployed.unread else {}
        refused = {
            name: {"campus": name, "state": "refused", "reason": text}
            for name, text in dict(self._problems).items()
        }
        polled = {name: one.poller.detail() for name, one in dict(self._running).items()}
        return {**problem, **polled, **refused}

    def run(self) -> None:
        """Poll until told to stop. A fault of ours in a poller is raised: the supervisor starts anew."""
        with ThreadPoolExecutor(MOST, "campus") as threads:
            try:
                while not self._stop.is_set():
                    self.follow(threads)
                    self._stop.wait(LOOK)
            finally:
                for one in self._running.values():
                    one.stop.set()
        for one in self._running.values():
            one.done.result()

    def follow(self, threads: ThreadPoolExecutor) -> None:
        """Take in what is deployed now; start and end pollers as it says. Raises what a poller raised."""
        self._deployed.follow(self._take)
        for name, one in list(self._running.items()):
            if one.done.done():
                one.done.result()
                del self._running[name]
            elif self._wanted.get(name) != one.poller.campus:
                one.stop.set()
        for name in self._wanted.keys() - self._running.keys() - self._problems.keys():
            self._start(self._wanted[name], threads)

    def _take(self, folder: Path) -> None:
        described = campuses(of_today(folder, self._dir))
        self._wanted = {one.facility: one for one in described if self._has_url(one)}
        self._problems = {}
        log.info("campuses", count=len(self._wanted))

    def _start(self, campus: Campus, threads: ThreadPoolExecutor) -> None:
        stop = threading.Event()
        opened = self._opened(campus, stop)
        try:
            poller = opened.__enter__()
        except PermanentError as error:
            log.error("campus_refused", campus=campus.facility, reason=str(error))  # noqa: TRY400 - told wholly
            self._problems[campus.facility] = str(error)
            return
        self._running[campus.facility] = _Running(poller, stop, threads.submit(_polled, poller, opened))


def _polled(poller: Poller, opened: AbstractContextManager[Poller]) -> None:
    try:
        poller.run()
    finally:
        opened.__exit__(None, None, None)
