"""The poller of one source: looks, takes what is complete, again and again, until told to stop."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
import structlog

from adapters.files.codec import Reading
from adapters.files.intake import Book, Intake, Taken
from adapters.files.ledger import Counts
from adapters.files.place import CLAIMED, Entry, GoneError, Place
from adapters.files.ready import Seen, look
from adapters.waiting import wait
from consortium.errors import YilianError

log = structlog.get_logger("adapters.files")

_NOTICE = 0.5
"""Seconds after which a poller that waits notices that it is left."""


class Poller:
    """Polls one source. `detail` is what its heartbeat shows."""

    def __init__(
        self,
        reading: Reading,
        place: Place,
        ledger: Book,
        spool: Path,
        stop: threading.Event,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`clock`: seconds, steady. `jitter` gives 0 to 1: how much of a wait's second half is waited."""
        self.source = reading.source
        self._place = place
        self._ledger = ledger
        self._stop = stop
        self._left = threading.Event()
        self._clock = clock
        self._jitter = jitter
        self._intake = Intake(reading, place, ledger, spool, self._going)
        self._seen: dict[str, Seen] = {}
        self._settled = False
        self._files: dict[str, int] = {}
        self._counts = Counts()
        self._waiting = self._unusable = self._failures = 0
        self._state, self._reason = "starting", ""

    def detail(self) -> Mapping[str, Any]:
        """Return state, reason and counts since the start; files by outcome, records by theirs."""
        files = {f"files_{outcome}": count for outcome, count in self._files.items()}
        return {
            "state": self._state,
            "reason": self._reason,
            "failures": self._failures,
            "files_waiting": self._waiting,
            "files_unusable": self._unusable,
            **files,
            **asdict(self._counts),
        }

    def leave(self) -> None:
        """Take no other file: the one at hand is ended first, all of it by one description."""
        self._left.set()

    def run(self) -> None:
        """Poll until stopped or left, then let go of place and ledger."""
        with closing(self._place), closing(self._ledger):
            while self._staying():
                self._rest(self.attempt())

    def _rest(self, seconds: float) -> None:
        while self._staying() and seconds > 0:
            self._stop.wait(min(seconds, _NOTICE))
            seconds -= _NOTICE

    def attempt(self) -> float:
        """Look once, whatever happens; return the seconds to wait before the next."""
        try:
            self.cycle()
        except (YilianError, psycopg.Error, OSError) as error:
            return self._failed(error)
        if self._failures:
            log.info("source_back", source=self.source.name, attempts=self._failures)
        self._state, self._reason, self._failures = "polling", "", 0
        return self.source.interval

    def cycle(self) -> list[Taken]:
        """Finish what is claimed, then take what is complete; return what became of each file."""
        claimed = sorted(self._place.entries(CLAIMED), key=lambda entry: (entry.modified, entry.name))
        if not claimed and not self._settled:
            self._ledger.settle()
        self._settled = True
        done = [self._take(entry) for entry in claimed if self._staying()]
        return [*done, *self._new()]

    def _new(self) -> Iterator[Taken]:
        busy = {entry.name for entry in self._place.entries(CLAIMED)}
        looked = look(self.source, self._place.entries(), self._seen, self._clock())
        self._seen, self._waiting, self._unusable = looked.seen, looked.waiting, looked.unusable
        for entry in looked.ready:
            # One of that name that is claimed still goes first.
            if self._staying() and entry.name not in busy and self._claim(entry):
                yield self._take(entry)

    def _claim(self, entry: Entry) -> bool:
        try:
            self._intake.claim(entry)
        except GoneError:
            return False  # its sender took it back
        self._seen.pop(entry.name, None)
        return True

    def _take(self, entry: Entry) -> Taken:
        taken = self._intake.take(entry)
        self._files[taken.outcome] = self._files.get(taken.outcome, 0) + 1
        self._counts += taken.counts
        return taken

    def _failed(self, error: YilianError | psycopg.Error | OSError) -> float:
        self._ledger.close()
        self._failures += 1
        self._state, self._reason = "waiting", _told(error)
        seconds = wait(self.source.interval, self._failures, error, self._jitter())
        log.warning(
            "poll_failed", source=self.source.name, error=type(error).__name__, retry_in=round(seconds, 1)
        )
        return seconds

    def _going(self) -> bool:
        return not self._stop.is_set()

    def _staying(self) -> bool:
        return self._going() and not self._left.is_set()


def _told(error: YilianError | psycopg.Error | OSError) -> str:
    # What psycopg and the system say may quote a row or a file's name.
    if isinstance(error, YilianError):
        return str(error)
    where = "the platform's database" if isinstance(error, psycopg.Error) else "the spool folder"
    return f"{where}: {type(error).__name__}"
