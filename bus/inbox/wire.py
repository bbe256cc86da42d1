"""One prepared statement on a connection of its own, spoken through libpq without the layers between.

psycopg's cursor costs some 300 µs a statement on asyncio, which is most of what a message costs when few
arrive at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

_NAME = b"inbox"


class Wire:
    """Runs its statement, one at a time, and returns the first column as integers."""

    def __init__(
        self, conninfo: str, name: str, statement: bytes, types: Sequence[int], patience: float
    ) -> None:
        """`types`: OIDs of the parameters. `patience`: seconds before a silent server counts as away."""
        self._conninfo = conninfo
        self._name = name
        self._statement = statement
        self._types = list(types)
        self._formats = [1] * len(self._types)
        self._patience = patience
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._socket = -1
        self._waiting: asyncio.Future[PGresult] | None = None
        self._result: PGresult | None = None

    async def ask(self, parameters: Sequence[bytes]) -> list[int]:
        """Run the statement, committed when this returns. Raises psycopg.Error; drop the wire then."""
        connection = self._connection or await self._connect()
        connection.pgconn.send_query_prepared(_NAME, parameters, self._formats, result_format=1)
        result = await self._answer(connection)
        return [int.from_bytes(result.get_value(row, 0) or b"", "big") for row in range(result.ntuples)]

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        connection = await psycopg.AsyncConnection.connect(
            self._conninfo, autocommit=True, connect_timeout=5, application_name=f"yilian {self._name}"
        )
        self._connection = connection
        self._socket = connection.fileno()
        asyncio.get_running_loop().add_reader(self._socket, self._readable)
        connection.pgconn.send_prepare(_NAME, self._statement, self._types)
        await self._answer(connection)
        return connection

    async def _answer(self, connection: psycopg.AsyncConnection[Any]) -> PGresult:
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        self._flush()
        late = loop.call_later(
            self._patience, self._fail, psycopg.OperationalError("the server does not answer")
        )
        try:
            result = await self._waiting
        finally:
            late.cancel()
            self._waiting = None
        if result.status not in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}:
            raise _error(result, connection)
        return result

    def _flush(self) -> None:
        """Send what libpq holds; go on when the socket takes more."""
        connection = self._connection
        if connection is None or self._socket < 0:
            return
        loop = asyncio.get_running_loop()
        try:
            if connection.pgconn.flush():
                loop.add_writer(self._socket, self._flush)
            else:
                loop.remove_writer(self._socket)
        except psycopg.Error as error:
            self._unwatch()
            self._fail(error)

    def _readable(self) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            connection.pgconn.consume_input()
            while not connection.pgconn.is_busy():
                result = connection.pgconn.get_result()
                if result is None:
                    self._finish()
                    return
                self._result = result
        except psycopg.Error as error:
            self._unwatch()
            self._fail(error)

    def _finish(self) -> None:
        result, self._result = self._result, None
        if result is not None and self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(result)

    def _fail(self, error: psycopg.Error) -> None:
        self._result = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    async def drop(self) -> None:
        """Close the connection; the next question opens another."""
        connection, self._connection = self._connection, None
        self._unwatch()
        if connection is not None:
            await connection.close()

    def _unwatch(self) -> None:
        """Forget the socket. libpq closes it when the server goes; its number is soon another's."""
        if self._socket >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._socket)
            loop.remove_writer(self._socket)
            self._socket = -1


def _error(result: PGresult, connection: psycopg.AsyncConnection[Any]) -> psycopg.Error:
    return psycopg.errors.error_from_result(result, connection.info.encoding)
