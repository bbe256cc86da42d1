"""What the commands of the bus have in common: the database, output for people and programs, the audit."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from consortium.access import audit
from consortium.access.model import Action, Purpose
from consortium.errors import YilianError
from runtime import settings
from runtime.rules import UNDEFINED_TABLE, older
from runtime.words import console, words


def with_database(run: Callable[[sa.Engine], int]) -> int:
    """Run a command over the platform's database; what went wrong is said in one line, and the answer 1.

    A database that lacks tables which this checkout needs is said to be older than it.
    """
    url = settings.load().database_url
    if not url:
        return fail(
            words(
                "the database is not known: run ./yilian up first, or set YILIAN_DATABASE_URL",
                "未配置数据库：请先运行 ./yilian up，或设置 YILIAN_DATABASE_URL",
            )
        )
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        connect_args={"connect_timeout": 5},
    )
    try:
        return run(engine)
    except YilianError as error:
        return fail(told(error))
    except sa.exc.OperationalError:
        return fail(
            words(
                "the database cannot be reached: see ./yilian status",
                "无法连接数据库：请查看 ./yilian status",
            )
        )
    except sa.exc.ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != UNDEFINED_TABLE:
            raise
        return fail(older())
    finally:
        engine.dispose()


def takes_json(parser: argparse.ArgumentParser) -> None:
    """Give a command the option by which it prints for programs."""
    parser.add_argument("--json", action="store_true", help=words("for programs", "输出 JSON，供程序读取"))


def note(engine: sa.Engine, by: str, action: Action, what: str, reason: str) -> None:
    """Put a change made at the command line in the audit."""
    entry = audit.Entry(
        request_id="console",
        username=by,
        role=audit.NOBODY,
        organisation=audit.NOBODY,
        action=action.value,
        purpose=Purpose.OPERATIONS.value,
        resource=what,
        outcome="allowed",
        reason=reason,
    )
    with engine.begin() as connection:
        audit.append(connection, entry)


def audited(
    connection: sa.Connection, by: str, action: Action, what: str, why: str, persons: Sequence[UUID] = ()
) -> None:
    """Put what somebody did at the command line in the audit, in the caller's transaction."""
    reason = f"on the console, by {by}: {why}"
    entry = audit.entry(None, action, None, what, "allowed", reason, request_id="console", persons=persons)
    audit.append(connection, entry)


def show_json(value: Any) -> int:
    """Print for programs; returns 0."""
    write(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))
    return 0


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> int:
    """Print for people; returns 0."""
    table = Table(*(Column(name, overflow="fold") for name in columns), box=None)
    for row in rows:
        table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
    console().print(table)
    return 0


def write(text: str) -> None:
    """Print a line."""
    _lines().print(text)


def progress(text: str) -> None:
    """Say how far it is, beside what is printed."""
    _lines(stderr=True).print(text)


def fail(text: str) -> int:
    """Say what went wrong; returns 1."""
    _lines(stderr=True).print(text)
    return 1


def told(error: YilianError) -> str:
    """Return what an error says, in the person's language where it has words in it."""
    return words(str(error), error.zh or str(error))


def _lines(*, stderr: bool = False) -> Console:
    """Return where lines go as they are: `:x:` in a message is no picture, and a long line is not cut."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True)


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
