"""The platform's side of the poller: the inbox and the watermark, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.types.json import Jsonb

from adapters.tables.marks import Mark
from adapters.tables.rows import Last
from bus.envelope import Arrival, Receipt
from bus.inbox import accept_in
from consortium.errors import PermanentError
from runtime.settings import Settings

_SAVE = (
    "INSERT INTO bus.watermark AS w (poller, value) VALUES (%s, %s)"
    " ON CONFLICT (poller) DO UPDATE SET value = excluded.value, at = clock_timestamp()"
)
_KNOWN = (
    "SELECT control_id FROM bus.inbox WHERE facility = %s AND sender = %s AND control_id > %s"
    " ORDER BY control_id LIMIT %s"
)
_BODY = (
    "SELECT body, patient_number, visit_number FROM bus.message"
    " WHERE facility = %s AND sender = %s AND control_id = %s ORDER BY generation DESC LIMIT 1"
)


class Store:
    """One connection to the platform's database, made when needed and made again when it broke.

    psycopg's errors pass through; the next call connects anew.
    """

    def __init__(self, settings: Settings) -> None:
        if not settings.database_url:
            raise PermanentError("the setting database_url is empty; run ./yilian up first")
        self._url = settings.database_url
        self._routing_key = settings.routing_key
        self._window = timedelta(days=settings.dedupe_days)
        self._connection: psycopg.Connection[Any] | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; what is not committed is rolled back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):  # it may be broken already, which is why it is closed
                connection.close()

    def accept(self, arrivals: Sequence[Arrival], mark: Mark | None) -> list[Receipt]:
        """Commit arrivals and the watermark that says they were read, together."""
        connection = self._connected()
        with connection.transaction():
            receipts = accept_in(connection, arrivals, routing_key=self._routing_key, window=self._window)
            if mark is not None:
                connection.execute(_SAVE, (mark.poller, Jsonb(mark.value)))
        return receipts

    def mark(self, poller: str) -> dict[str, Any] | None:
        """Return a poller's watermark."""
        statement = "SELECT value FROM bus.watermark WHERE poller = %s"
        found = self._connected().execute(statement, (poller,)).fetchone()
        return found[0] if found else None

    def known(self, facility: str, sender: str, after: str, limit: int) -> list[str]:
        """Return the control ids stored after one, in the database's text order."""
        found = self._connected().execute(_KNOWN, (facility, sender, after, limit)).fetchall()
        return [row[0] for row in found]

    def last(self, facility: str, sender: str, control_id: str) -> Last:
        """Return what is kept of a stored message; raises LookupError when there is none."""
        found = self._connected().execute(_BODY, (facility, sender, control_id)).fetchone()
        if found is None:
            raise LookupError("no such message in the inbox")
        return Last(*found)

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.broken or self._connection.closed:
            self._connection = psycopg.connect(
                self._url, autocommit=True, connect_timeout=5, application_name="yilian tables"
            )
        return self._connection
