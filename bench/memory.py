"""The most memory that a block and its child processes take."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil


@dataclass(slots=True)
class Peak:
    """Bytes; shared pages are shared out among those who share them (PSS)."""

    size: int = 0


@contextmanager
def peak(every: float = 0.5) -> Iterator[Peak]:
    """Sample the memory of this process and its children until the block ends; `every`: seconds."""
    found, over = Peak(), threading.Event()

    def sample() -> None:
        while not over.wait(every):
            found.size = max(found.size, _now())

    watcher = threading.Thread(target=sample, name="memory", daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()
        found.size = max(found.size, _now())


def _now() -> int:
    own = psutil.Process()
    total = 0
    for process in (own, *own.children(recursive=True)):
        with suppress(psutil.Error):  # it may have ended
            total += process.memory_full_info().pss
    return total
