"""One connection that is made when it is needed and made again when it broke."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg

from bus.inbox.storing import Query

PATIENCE = 30.0
"""Seconds for one statement, before the database counts as away."""

_RETRYABLE_CLASSES = frozenset({"08", "25", "40", "53", "55", "57", "58", "F0", "XX"})
"""SQLSTATE classes that speak of the server's state and not of the statement (PostgreSQL, appendix A)."""


def retryable(error: psycopg.Error) -> bool:
    """Say whether the database, and not the message, is what is wrong."""
    if error.sqlstate:
        return error.sqlstate[:2] in _RETRYABLE_CLASSES
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


class Link:
    """An autocommit connection on asyncio."""

    def __init__(self, conninfo: str, name: str) -> None:
        self._conninfo = conninfo
        self._name = name
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def ask(self, question: Query) -> list[Any]:
        """Run one statement, committed when this returns. Raises psycopg.Error; drop the link then."""
        try:
            async with asyncio.timeout(PATIENCE):
                connection = self._connection or await self._connect()
                cursor = await connection.execute(question[0], question[1], prepare=True, binary=True)
                return await cursor.fetchall()
        except TimeoutError:
            await self.drop()
            raise psycopg.OperationalError(f"no answer within {PATIENCE:.0f} s") from None

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        self._connection = await psycopg.AsyncConnection.connect(
            self._conninfo, autocommit=True, connect_timeout=5, application_name=f"yilian {self._name}"
        )
        return self._connection

    async def drop(self) -> None:
        """Close the connection; the next question opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
