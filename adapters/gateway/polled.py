"""Sources that the front machine polls, each in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol


class Poller(Protocol):
    """What is polled: `adapters.files.server.Poller`, `adapters.tables.server.Poller`."""

    def run(self) -> None:
        """Poll until told to stop."""
        ...

    def detail(self) -> Mapping[str, Any]:
        """Return what was counted, and how it stands."""
        ...


class Polled:
    """Pollers of one kind that run."""

    def __init__(self, kind: str, pollers: Mapping[str, Poller], running: list[Future[None]]) -> None:
        self._kind = kind
        self._pollers = pollers
        self.running = running
        """Done when a poller ended by a fault of ours, or was told to stop."""

    def detail(self) -> dict[str, dict[str, int | str]]:
        """Return what each source has counted, and how it stands."""
        return {f"{self._kind} {name}": _flat(poller.detail()) for name, poller in self._pollers.items()}


def _flat(detail: Mapping[str, Any]) -> dict[str, int | str]:
    return {
        key: "; ".join(f"{name}: {text}" for name, text in value.items())
        if isinstance(value, Mapping)
        else value
        for key, value in detail.items()
    }


@contextmanager
def polling(kind: str, pollers: Mapping[str, Poller], stop: threading.Event) -> Iterator[Polled]:
    """Poll inside the block; at its end `stop` is set, and each ends between two pages."""
    with ThreadPoolExecutor(max(1, len(pollers)), kind) as threads:
        try:
            yield Polled(kind, pollers, [threads.submit(poller.run) for poller in pollers.values()])
        finally:
            stop.set()
