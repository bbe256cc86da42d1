"""A store that is left alone for a while when it did not answer: what waits for it holds up nothing else.

Without it, each batch of messages with a document would wait out the network's patience again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from consortium.documents.content import ContentStore, Kept, StoreAwayError

LEAST, MOST = 1.0, 60.0
"""Seconds that it is left alone."""
TIMES = 10.0
"""Of the time that the failing took: of a store that hangs a tenth of the time is spent waiting, at best."""
FORGOTTEN = 300.0
"""Seconds after its last failure from which nothing is said of a store that nobody asked since."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Trouble:
    """That contents cannot be put, for how long, and why."""

    seconds: float
    reason: str


@dataclass
class _Way:
    """One way of asking: a store that is full can still be read."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    since: float | None = None
    last: float = 0.0
    until: float = 0.0
    reason: str = ""


class Guarded:
    """`ContentStore` over another one. Safe to use from many threads."""

    def __init__(self, store: ContentStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._putting, self._reading = _Way(), _Way()

    def put(self, sha256: bytes, data: bytes) -> None:
        """As `ContentStore.put`."""
        self._ask(self._putting, lambda: self._store.put(sha256, data))

    def get(self, sha256: bytes) -> bytes | None:
        """As `ContentStore.get`."""
        return self._ask(self._reading, lambda: self._store.get(sha256))

    def has(self, sha256: bytes) -> bool:
        """As `ContentStore.has`."""
        return self._ask(self._reading, lambda: self._store.has(sha256))

    def all(self) -> Iterator[Kept]:
        """As `ContentStore.all`."""
        return self._store.all()

    def remove(self, sha256: bytes) -> None:
        """As `ContentStore.remove`."""
        self._store.remove(sha256)

    def remove_unfinished(self, before: datetime) -> int:
        """As `ContentStore.remove_unfinished`."""
        return self._store.remove_unfinished(before)

    def trouble(self) -> Trouble | None:
        """Tell that contents cannot be put; None: they can, as far as is known."""
        now, way = self._clock(), self._putting
        with way.lock:
            if way.since is None or now - way.last > FORGOTTEN:
                return None
            return Trouble(now - way.since, way.reason)

    def _ask(self, way: _Way, call: Callable[[], T]) -> T:
        began = self._clock()
        with way.lock:
            if began < way.until:
                raise StoreAwayError(way.reason)
        try:
            answer = call()
        except StoreAwayError as error:
            self._failed(way, began, str(error))
            raise
        with way.lock:
            way.since, way.until = None, 0.0
        return answer

    def _failed(self, way: _Way, began: float, reason: str) -> None:
        now = self._clock()
        with way.lock:
            way.since = began if way.since is None else way.since
            way.last, way.reason = now, reason
            way.until = now + min(MOST, max(LEAST, TIMES * (now - began)))
