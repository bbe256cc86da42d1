"""Something done again and again beside a process, from a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from consortium.errors import YilianError


@contextmanager
def repeating(
    name: str,
    pause: float,
    once: Callable[[], object],
    interrupted: Callable[[Exception], None],
    stop: threading.Event,
    patience: float = 5.0,
) -> Iterator[None]:
    """Do it inside the `with` block, with so many seconds after each time; the end sets `stop`, and waits for
    the thread so many seconds at most.

    What the database, a store or the disk refuses is tried again after the pause; `interrupted` hears the
    first of a row of failures. Any other error ends the thread.
    """
    thread = threading.Thread(target=_repeat, args=(pause, once, interrupted, stop), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=patience)


def _repeat(
    pause: float, once: Callable[[], object], interrupted: Callable[[Exception], None], stop: threading.Event
) -> None:
    failing = False
    while not stop.is_set():
        try:
            once()
            failing = False
        except (sa.exc.SQLAlchemyError, YilianError, OSError) as error:
            if not failing:
                interrupted(error)
            failing = True
        stop.wait(pause)
