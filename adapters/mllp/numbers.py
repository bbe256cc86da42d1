"""Under which number each message went to a receiver: kept before its first byte goes out."""

from __future__ import annotations

from typing import Any, Protocol

import psycopg

from bus.delivery.transport import NotSentError

_LAST = "SELECT max(sequence) FROM bus.delivery WHERE destination = %s AND sequence IS NOT NULL"
_BEFORE = "SELECT sequence FROM bus.delivery WHERE id = %s"
# A receiver that expects a number again does not have what went under it, or later, before.
_KEEP = (
    "WITH void AS (UPDATE bus.delivery SET sequence = NULL WHERE destination = %(destination)s"
    " AND sequence >= %(number)s AND id <> %(id)s)"
    " UPDATE bus.delivery SET sequence = %(number)s WHERE id = %(id)s"
)
_FORGET = "UPDATE bus.delivery SET sequence = NULL WHERE id = %s"


class Numbers(Protocol):
    """The numbers of one destination. Every method raises NotSentError when the store is away."""

    async def last(self) -> int | None:
        """Return the highest number that went out."""
        ...

    async def before(self, id_: int) -> int | None:
        """Return the number under which a delivery went out and had no answer; None: there is none."""
        ...

    async def keep(self, id_: int, number: int) -> None:
        """Say that a delivery goes out under a number, committed when this returns."""
        ...

    async def forget(self, id_: int) -> None:
        """Say that the receiver did not take a delivery under its number."""
        ...

    async def close(self) -> None:
        """Let the store go."""
        ...


class StoredNumbers:
    """`Numbers` beside the deliveries themselves, on one connection that is made when needed."""

    def __init__(self, conninfo: str, destination: str) -> None:
        self._conninfo = conninfo
        self._destination = destination
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def last(self) -> int | None:
        """See `Numbers`."""
        return await self._number(_LAST, (self._destination,))

    async def before(self, id_: int) -> int | None:
        """See `Numbers`."""
        return await self._number(_BEFORE, (id_,))

    async def keep(self, id_: int, number: int) -> None:
        """See `Numbers`."""
        await self._ask(_KEEP, {"destination": self._destination, "number": number, "id": id_})

    async def forget(self, id_: int) -> None:
        """See `Numbers`."""
        await self._ask(_FORGET, (id_,))

    async def close(self) -> None:
        """Close the connection; the next question makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _number(self, query: str, values: Any) -> int | None:
        row = await (await self._ask(query, values)).fetchone()
        return None if row is None else row[0]

    async def _ask(self, query: str, values: Any) -> psycopg.AsyncCursor[Any]:
        try:
            connection = self._connection or await self._connect()
            return await connection.execute(query.encode(), values)
        except psycopg.Error as error:
            await self.close()
            raise NotSentError(f"the store is away ({type(error).__name__})", "store_away") from error

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        self._connection = await psycopg.AsyncConnection.connect(
            self._conninfo, autocommit=True, connect_timeout=5, application_name="delivery numbers"
        )
        return self._connection
