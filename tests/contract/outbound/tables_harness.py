"""Open tables in PostgreSQL and MariaDB, behind a line that can lose the commit."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from adapters.tables.databases import database_url
from adapters.tables.outbound import TablesTransport
from bus.delivery.transport import Transport
from bus.rules.destinations import TablesDestination
from tests.conftest import replace_path
from tests.contract.outbound.harness import How
from tests.contract.outbound.http_harness import COMMON
from tests.contract.outbound.proxy import Proxy

COLUMNS = {
    "control_id": "MSH-10",
    "patient": "PID-3.1",
    "name": {"path": "PID-5", "as": "name"},
    "born": "PID-7",
}
TABLE = (
    "CREATE TABLE arrived (control_id varchar(20) NOT NULL PRIMARY KEY, patient varchar(20) NOT NULL,"
    " name varchar(20), born date, written timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6))"
)


def tables(**more: Any) -> TablesDestination:
    """Return a destination with short times."""
    common = {**COMMON, "timeout_seconds": 2.0}
    return TablesDestination(
        **common,
        kind="tables",
        database="db",
        table="arrived",
        key=["control_id"],
        **{"columns": COLUMNS, **more},
    )


@dataclass
class TablesPeer:
    """A table, and our way to it."""

    spec: TablesDestination
    transport: Transport
    proxy: Proxy
    desk: sa.Engine
    """Straight to the database."""
    held: list[sa.Connection] = field(default_factory=list)

    async def behave(self, how: How) -> None:
        """Behave so from now on."""
        self.proxy.how = how
        await asyncio.to_thread(self._behave, how)

    def _behave(self, how: How) -> None:
        while self.held:
            self.held.pop().close()
        if how is How.LATER:  # somebody else is writing the same row
            busy = self.desk.connect()
            busy.exec_driver_sql("INSERT INTO arrived (control_id, patient) VALUES ('C1', 'x')")
            self.held.append(busy)
        with self.desk.begin() as connection:
            if how is How.REFUSES:
                connection.exec_driver_sql(
                    "ALTER TABLE arrived ADD CONSTRAINT few CHECK (control_id <> 'C1')"
                )
            if how is How.WRONG_DOOR:
                connection.exec_driver_sql("ALTER TABLE arrived RENAME COLUMN name TO called")

    async def down(self) -> None:
        """Be switched off."""
        await self.proxy.down()

    async def got(self) -> list[str]:
        """Return what is written."""
        return await asyncio.to_thread(self._got)

    def _got(self) -> list[str]:
        with self.desk.connect() as connection:
            query = "SELECT control_id FROM arrived ORDER BY written, control_id"
            return [row[0] for row in connection.exec_driver_sql(query)]

    async def effects(self) -> list[str]:
        """Return the rows."""
        return await self.got()


class TablesHarness:
    """A database by the URL of its superuser."""

    reads = True

    def __init__(self, url: str) -> None:
        self._url = url

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[TablesPeer]:
        """Run a receiver in a database of its own."""
        name = f"out_{uuid.uuid4().hex[:12]}"
        admin = sa.create_engine(database_url(self._url), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        url = database_url(replace_path(self._url, name))
        desk = sa.create_engine(url, poolclass=sa.NullPool)
        with desk.begin() as connection:
            connection.exec_driver_sql(TABLE)
        assert url.port is not None
        async with Proxy(url.port) as proxy:
            spec = tables()
            ours = url.set(port=proxy.port).render_as_string(hide_password=False)
            transport = TablesTransport(spec, ours)
            peer = TablesPeer(spec, transport, proxy, desk)
            try:
                yield peer
            finally:
                await transport.close()
                for busy in peer.held:
                    busy.close()
        with admin.connect() as connection:
            force = " WITH (FORCE)" if admin.dialect.name == "postgresql" else ""
            connection.exec_driver_sql(f"DROP DATABASE {name}{force}")
