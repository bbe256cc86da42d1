"""An outage of the documents' store, with relay and router as they are deployed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic

from bus import gauges
from consortium.documents.content import FolderStore
from runtime.settings import CHECKOUT
from tests.integration.bus.clinic import KEY, engine_of, hl7, lab, rows, states, steps, store
from tests.integration.bus.test_router_store import TEXT, mdm


@contextmanager
def process(module: str, environment: dict[str, str]) -> Iterator[None]:
    """A process of the platform; SIGTERM ends it."""
    started = subprocess.Popen(
        [sys.executable, "-m", module], cwd=CHECKOUT, env=environment, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        started.terminate()
        assert started.wait(timeout=30) == 0


def until(condition: Callable[[], bool]) -> None:
    deadline, tick = monotonic() + 90, threading.Event()
    while not condition():
        assert monotonic() < deadline, "it did not happen within 90 s"
        tick.wait(0.1)


def test_messages_with_documents_come_in_by_themselves_when_the_store_is_back(
    database_url: str, amqp_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "documents"
    environment = {
        **os.environ,
        "YILIAN_HOME": str(tmp_path),
        "YILIAN_DATABASE_URL": database_url,
        "YILIAN_AMQP_URL": amqp_url,
        "YILIAN_ROUTING_KEY": KEY,
        "YILIAN_ROUTER_PROCESSES": "1",
        "YILIAN_DOCUMENTS_STORE": str(folder),
    }
    engine = engine_of(database_url)

    def away() -> gauges.StoreAway | None:
        with engine.connect() as connection:
            return gauges.store_away(connection)

    known, waiting, result, other = store(database_url, hl7("ADT^A28"), mdm(), lab(), hl7("ADT^A28", "M2"))
    with ExitStack() as running:
        for module in ("bus.relay", "bus.router"):
            running.enter_context(process(module, environment))
        until(lambda: states(database_url) == {waiting: 0} and "retry" in steps(database_url, waiting))
        for id_ in (known, result, other):
            assert steps(database_url, id_)[-1] == "recorded"
        until(lambda: away() is not None)
        told = away()
        folder.mkdir()
        until(lambda: states(database_url) == {})
        until(lambda: away() is None)
    engine.dispose()
    assert told is not None
    assert "mount it" in told.reason
    assert steps(database_url, waiting).count("retry") == 1
    assert steps(database_url, waiting)[-1] == "recorded"
    [(name, size)] = rows(database_url, "SELECT sha256, size FROM records.blob WHERE coding = 'moved'")
    assert (FolderStore(folder).get(bytes(name)), size) == (TEXT, len(TEXT))
