"""Open tables on the front machine, by the very poller of adapters/tables: its watermarks are in the spool,
saved with the rows that they say were read.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from adapters.gateway.polled import Polled, polling
from adapters.gateway.settings import GatewaySettings
from adapters.gateway.spool import Level, Spool, payload_of
from adapters.tables.client import Source
from adapters.tables.marks import Mark
from adapters.tables.rows import Last
from adapters.tables.server import Poller
from adapters.tables.settings import load
from bus.envelope import Arrival, Receipt
from consortium.errors import PermanentError

_BROUGHT = """
INSERT INTO brought (facility, sender, control_id, patient_number, visit_number) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
"""
_KNOWN = (
    "SELECT control_id FROM brought WHERE facility = ? AND sender = ? AND control_id > ?"
    " ORDER BY control_id LIMIT ?"
)
_LAST = (
    "SELECT patient_number, visit_number FROM brought WHERE facility = ? AND sender = ? AND control_id = ?"
)


class SpoolStore:
    """`adapters.tables.server.Store` over the spool, on a connection of its own.

    Which rows were brought stays known after their messages are gone, since the sweep looks for those that
    vanished.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def close(self) -> None:
        """Keep the connection: a poller that failed goes on with it."""

    def accept(self, arrivals: Sequence[Arrival], mark: Mark | None) -> list[Receipt]:
        """Spool arrivals and the watermark that says they were read, together.

        Raises RetryableError when there is no room, PermanentError for a row that cannot be spooled.
        """
        with self._spool.transaction() as now:
            receipts = [self._put(arrival, now) for arrival in arrivals]
            if mark is not None:
                self._execute(
                    "INSERT INTO watermark VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                    (mark.poller, json.dumps(mark.value)),
                )
        return receipts

    def mark(self, poller: str) -> dict[str, Any] | None:
        """Return a poller's watermark."""
        found = self._execute("SELECT value FROM watermark WHERE poller = ?", (poller,)).fetchone()
        value: dict[str, Any] | None = json.loads(found[0]) if found else None
        return value

    def known(self, facility: str, sender: str, after: str, limit: int) -> list[str]:
        """Return the control ids brought after one, in text order."""
        return [row[0] for row in self._execute(_KNOWN, (facility, sender, after, limit))]

    def last(self, facility: str, sender: str, control_id: str) -> Last:
        """Return what is kept of a row that was brought; raises LookupError when it was not."""
        found = self._execute(_LAST, (facility, sender, control_id)).fetchone()
        if found is None:
            raise LookupError("no such row was brought")
        return Last(None, *found)

    def _put(self, arrival: Arrival, now: float) -> Receipt:
        receipt = self._spool.put(arrival, payload_of(arrival), now)
        if isinstance(receipt, Exception):
            raise receipt
        key = (arrival.facility, arrival.sender, arrival.control_id)
        self._execute(_BROUGHT, (*key, arrival.patient_number, arrival.visit_number))
        return receipt

    def _execute(self, statement: str, values: tuple[Any, ...]) -> Any:
        return self._spool.connection.execute(statement, values)


@contextmanager
def opened(settings: GatewaySettings, path: Path, level: Level) -> Iterator[Polled]:
    """Poll every database inside the block. Raises PermanentError for one that is described wrongly."""
    stop = threading.Event()
    with ExitStack() as stack:
        pollers: dict[str, Poller] = {}
        for name, told in settings.tables.items():
            campus = load(told.description).model_copy(update={"source": name})
            if campus.facility not in settings.campuses:
                raise PermanentError(f"tables.{name}: {campus.facility} is no campus of this gateway")
            spool = stack.enter_context(closing(Spool(path, settings.spool.bounds, level, time.time)))
            source = stack.enter_context(Source(campus, told.url))
            pollers[name] = Poller(campus, source, SpoolStore(spool), stop)
        yield stack.enter_context(polling("tables", pollers, stop))
