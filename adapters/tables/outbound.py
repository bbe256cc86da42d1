"""Delivering into open tables: rows written over by their key, all of a message in one transaction."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from adapters.tables.databases import CONNECT_SECONDS, database_url, engine
from adapters.tables.outcome import code_of, judged
from adapters.tables.target import ShapeError, Target, read_target
from adapters.tables.threads import cut
from adapters.tables.upsert import Find, Write, finder, writer
from adapters.tables.values import Row, rows_of
from adapters.threads import in_thread
from bus.delivery.shaping import as_json
from bus.delivery.transport import (
    Answer,
    Found,
    NotSentError,
    OnWire,
    Outgoing,
    SentForm,
    UnansweredError,
    Verdict,
)
from bus.rules.destinations import TablesDestination

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Way:
    """What is known of the table, and how a row of it is written."""

    target: Target
    write: Write
    again: Write
    """… when it is sent again on purpose."""
    find: Find
    """Whether it is there, where that can be told."""


class TablesTransport:
    """`bus.delivery.transport.Transport` into a table."""

    def __init__(self, spec: TablesDestination, url: str) -> None:
        """Raises PermanentError for a URL that is none; the database is asked when it is first needed."""
        self._spec = spec
        self._engine = engine(
            database_url(url), seconds=spec.timeout_seconds, read_only=False, connections=spec.connections
        )
        self._way: _Way | None = None

    async def check(self) -> None:
        """Compare the table with the file; see `Transport`."""
        self._way = None
        connection, _ = await self._connected()
        await in_thread(connection.close)

    async def send(self, message: Outgoing, on_wire: OnWire) -> Answer:
        """Write the rows of one message; see `Transport`."""
        connection, way = await self._connected()
        try:
            rows = rows_of(self._spec, way.target, message)
            if rows:
                await on_wire(SentForm(as_json(rows), "utf-8"))
        except BaseException:
            await in_thread(connection.close)
            raise
        if not rows:
            await in_thread(connection.close)
            return Answer(Verdict.TAKEN, "no_rows", b"")
        write = way.write if message.again_of is None else way.again
        answer = await self._written(connection, write, rows)
        if answer.verdict is Verdict.WRONG_DOOR:
            self._way = None  # the table may have been changed: look again
        return answer

    async def arrived(self, message: Outgoing) -> Found:
        """Look whether the rows are there; see `Asking`."""
        try:
            connection, way = await self._connected()
            try:
                rows = rows_of(self._spec, way.target, message)
            except BaseException:
                await in_thread(connection.close)
                raise
            return await self._run(connection, lambda: _found(connection, way.find, rows))
        except (NotSentError, UnansweredError, SQLAlchemyError):
            return Found.UNTOLD

    async def close(self) -> None:
        """Close all connections."""
        await in_thread(self._engine.dispose)

    async def _connected(self) -> tuple[sa.Connection, _Way]:
        try:
            async with asyncio.timeout(self._spec.timeout_seconds + CONNECT_SECONDS):
                return await in_thread(self._connect)
        except ShapeError as error:
            raise NotSentError(f"{self._spec.table}: {error}", "table_shape") from error
        except (SQLAlchemyError, TimeoutError) as error:
            what = code_of(error) if isinstance(error, DBAPIError) else type(error).__name__
            raise NotSentError(f"no connection with the database {self._spec.database} ({what})") from error

    def _connect(self) -> tuple[sa.Connection, _Way]:
        connection = self._engine.connect()
        try:
            if self._way is None:
                target = read_target(connection, self._spec)
                backend = connection.dialect.name
                status = self._spec.status
                write, again = (writer(backend, target, status, again=again) for again in (False, True))
                self._way = _Way(target, write, again, finder(target, backend))
                connection.rollback()
        except BaseException:
            connection.close()
            raise
        return connection, self._way

    async def _written(self, connection: sa.Connection, write: Write, rows: Sequence[Row]) -> Answer:
        """Write and commit; whoever is cut off while it lasts, commits nothing later."""
        return await self._run(connection, lambda: _write(connection, write, rows))

    async def _run(self, connection: sa.Connection, act: Callable[[], T]) -> T:
        """Do something with a connection in a thread and close it. Raises UnansweredError when it lasts too
        long.
        """
        driver = connection.connection.driver_connection
        call = asyncio.ensure_future(in_thread(lambda: _and_close(connection, act)))
        try:
            async with asyncio.timeout(2 * self._spec.timeout_seconds):
                return await asyncio.shield(call)
        except BaseException as error:
            if not call.done():
                cut(driver)
                call.add_done_callback(_retrieve)
            if isinstance(error, TimeoutError):
                raise UnansweredError(f"no answer of {self._spec.database} in time") from error
            raise


def _retrieve(call: asyncio.Future[Any]) -> None:
    """Look at what became of a call that was cut off, so that nobody is told it was never looked at."""
    if not call.cancelled():
        call.exception()


def _and_close(connection: sa.Connection, act: Callable[[], T]) -> T:
    try:
        return act()
    finally:
        with contextlib.suppress(SQLAlchemyError):  # it may be broken already
            connection.close()


def _write(connection: sa.Connection, write: Write, rows: Sequence[Row]) -> Answer:
    """Write all rows and commit. Raises UnansweredError when it is not known whether the commit was done."""
    try:
        _write_rows(connection, write, rows)
    except DBAPIError as error:
        _roll_back(connection)
        return judged(error)
    try:
        connection.commit()
    except DBAPIError as error:
        if error.connection_invalidated:
            raise UnansweredError(f"the connection was lost while it committed ({code_of(error)})") from error
        _roll_back(connection)
        return judged(error)
    return Answer(Verdict.TAKEN, "committed", f"{len(rows)} rows".encode())


def _found(connection: sa.Connection, find: Find, rows: Sequence[Row]) -> Found:
    """Look for all rows: one that is missing tells, whatever cannot be told of the others."""
    found = {find(connection, row) for row in rows}
    if False in found or not found:
        return Found.NOT_THERE
    return Found.UNTOLD if None in found else Found.THERE


def _write_rows(connection: sa.Connection, write: Write, rows: Sequence[Row]) -> None:
    try:
        for row in rows:
            write(connection, row)
    except IntegrityError:
        # Where the row is first looked for and then made, another may have made it meanwhile.
        connection.rollback()
        for row in rows:
            write(connection, row)


def _roll_back(connection: sa.Connection) -> None:
    with contextlib.suppress(SQLAlchemyError):  # a broken one is rolled back by the database
        connection.rollback()
