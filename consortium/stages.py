"""What a service does one after another, told to whoever listens: how long each stage took, and nothing else.

The consortium knows nothing of traces; the bus listens while it records (`bus.tracing`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Told = Callable[[str, int, int], None]
"""Called with a stage's name, and when it began and ended, in nanoseconds since 1970."""

_told: ContextVar[Told | None] = ContextVar("stages", default=None)


@contextmanager
def told(listener: Told) -> Iterator[None]:
    """Tell this listener of the stages inside the block, in this thread or task."""
    token = _told.set(listener)
    try:
        yield
    finally:
        _told.reset(token)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Name what happens inside the block. One that raises is not told."""
    listener = _told.get()
    if listener is None:
        yield
        return
    began = time.time_ns()
    yield
    listener(name, began, time.time_ns())
