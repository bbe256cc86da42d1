"""What differs between the databases that hold open tables: drivers, timeouts, sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from consortium.errors import PermanentError

DRIVERS: Mapping[str, str] = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "mssql": "mssql+pymssql",
    "oracle": "oracle+oracledb",
}
"""By the scheme that a person writes; a URL that names a driver keeps it."""
CONNECT_SECONDS = 5


def database_url(text: str) -> sa.URL:
    """Return the URL with its driver. Raises PermanentError, which does not quote it: it holds a password."""
    try:
        url = sa.make_url(text)
    except ArgumentError as error:
        raise PermanentError(f"it is no URL of a database: write one as {_EXAMPLE}") from error
    family = url.drivername.partition("+")[0]
    if family not in DRIVERS:
        raise PermanentError(f"{family} is none of {', '.join(DRIVERS)}: write a URL as {_EXAMPLE}")
    return url.set(drivername=DRIVERS[family]) if "+" not in url.drivername else url


_EXAMPLE = "mysql://user:password@host:3306/database"


def connect_args(url: sa.URL, seconds: float, *, read_only: bool) -> dict[str, Any]:
    """Return what the driver is told; `seconds`: the longest that one statement may take."""
    name = "yilian-tables" if read_only else "yilian-delivery"
    whole = max(1, round(seconds))
    match url.get_backend_name():
        case "postgresql":
            options = f"-c statement_timeout={whole}s -c lock_timeout={whole}s"
            if read_only:
                options += " -c default_transaction_read_only=on"
            return {"connect_timeout": CONNECT_SECONDS, "application_name": name, "options": options}
        case "mysql" | "mariadb":
            # The server gives up before we do: then it is known that nothing was written.
            waits = {"read_timeout": whole + CONNECT_SECONDS, "write_timeout": whole + CONNECT_SECONDS}
            return {"connect_timeout": CONNECT_SECONDS, "charset": "utf8mb4", **waits}
        case "mssql":
            return {
                "login_timeout": CONNECT_SECONDS,
                "timeout": whole + CONNECT_SECONDS,
                "appname": name,
                "charset": "UTF-8",
            }
        case "oracle":
            return {"tcp_connect_timeout": float(CONNECT_SECONDS)}
    raise PermanentError(f"{url.get_backend_name()} is none of {', '.join(DRIVERS)}")


def session(backend: str, seconds: float, *, read_only: bool, mariadb: bool = False) -> Sequence[str]:
    """Return the statements that begin a session: UTC, no long wait for a lock, nothing cut off in silence.

    Nothing here raises an isolation level: a reader of SQL Server waits `seconds` at most for whoever
    writes, and is the one that gives way in a deadlock.
    """
    whole = max(1, round(seconds))
    match backend:
        case "mysql" | "mariadb":
            longest = f"max_statement_time = {whole}" if mariadb else f"max_execution_time = {whole * 1000}"
            own = (
                "SET SESSION TRANSACTION READ ONLY"
                if read_only
                else "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')"
            )
            waits = f"SET SESSION innodb_lock_wait_timeout = {whole}"
            return ("SET SESSION time_zone = '+00:00'", f"SET SESSION {longest}", own, waits)
        case "mssql":
            own = "SET DEADLOCK_PRIORITY LOW" if read_only else "SET XACT_ABORT ON"
            return (f"SET LOCK_TIMEOUT {whole * 1000}", own)
        case "oracle":
            return ("ALTER SESSION SET TIME_ZONE = 'UTC'",)
    return ()


def engine(url: sa.URL, *, seconds: float, read_only: bool, connections: int = 1) -> sa.Engine:
    """Return an engine whose connections are set up as above; nothing is connected yet."""
    try:
        made = sa.create_engine(
            url,
            pool_size=connections,
            max_overflow=0,
            pool_pre_ping=True,
            hide_parameters=True,
            isolation_level="READ COMMITTED",
            connect_args=connect_args(url, seconds, read_only=read_only),
        )
    except (ArgumentError, ImportError) as error:
        raise PermanentError(f"the database's URL cannot be used ({type(error).__name__})") from error
    _prepare_sessions(made, url.get_backend_name(), seconds, read_only=read_only)
    return made


def _prepare_sessions(made: sa.Engine, backend: str, seconds: float, *, read_only: bool) -> None:
    @sa.event.listens_for(made, "connect")
    def _connected(connection: Any, _record: object) -> None:
        if backend == "oracle":
            connection.call_timeout = round(seconds * 1000)
        mariadb = backend in ("mysql", "mariadb") and "mariadb" in connection.get_server_info().lower()
        cursor = connection.cursor()
        try:
            for statement in session(backend, seconds, read_only=read_only, mariadb=mariadb):
                cursor.execute(statement)
        finally:
            cursor.close()
        if backend == "mssql":
            connection.commit()  # its first statement began a transaction
