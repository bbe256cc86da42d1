"""The options of the commands that are about one message, and reading it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from bus.rules.additions import Additions
from bus.rules.codes import CodeTable
from bus.rules.masking import Show, masked, plain
from bus.rules.message import Message, from_file, from_inbox
from bus.rules.records import FreshRecords
from bus.rules.verbs.output import CommandError
from bus.rules.versions.deciding import deciding
from bus.sources.source import Envelope
from runtime import settings

Refresh = Callable[[dict[str, CodeTable]], None]


def takes_message(parser: argparse.ArgumentParser) -> None:
    """Give a command the options that name a message."""
    parser.add_argument(
        "message", metavar="MESSAGE", help="id of the inbox, or a file (./17 for a file named 17)"
    )
    parser.add_argument("--show-values", action="store_true", help="show what the message says, not masked")
    of_file = parser.add_argument_group("for a file; an HL7 message says these itself")
    of_file.add_argument("--facility", default="", help="campus code")
    of_file.add_argument("--type", default="", dest="message_type", help="such as soap:patient")
    of_file.add_argument("--sender", default="", help="sending application")
    of_file.add_argument("--protocol", default="", help="mllp, soap, rest, tables")
    of_file.add_argument("--charset", default="utf-8", help="Python codec name; utf-8 by default")


def message_of(options: argparse.Namespace) -> Message:
    """Read the message. Raises `NoMessageError`, `CommandError`."""
    name: str = options.message
    if not _of_inbox(name):
        known = Envelope(options.facility, options.sender, options.message_type, options.protocol)
        return from_file(Path(name), options.charset, known)
    with _database() as connection:
        return replace(from_inbox(connection, int(name)), records=FreshRecords(_database))


@contextmanager
def rules_of(options: argparse.Namespace, chosen: Path | None) -> Iterator[tuple[Path, Refresh]]:
    """Give the folder of the rules that the message is held against: the chosen one; for a message of the
    inbox the deployed set; else the setting rules_dir. What it gives beside takes mapped codes into tables.
    """
    if chosen is not None or not _of_inbox(options.message):
        yield chosen or settings.load().rules_dir, _as_read
        return
    with _database() as connection, deciding(connection, settings.load().rules_dir) as folder:
        yield folder, lambda tables: _refresh(connection, tables)


def _as_read(tables: dict[str, CodeTable]) -> None:
    del tables  # a folder of files, and nothing beside


def _refresh(connection: sa.Connection, tables: dict[str, CodeTable]) -> None:
    Additions(tables).refresh(connection)


def _of_inbox(name: str) -> bool:
    return name.isascii() and name.isdecimal() and len(name) <= 18


@contextmanager
def _database() -> Iterator[sa.Connection]:
    url = settings.load().database_url
    if not url:
        raise CommandError(
            "the database is not known: run ./yilian up first, or set YILIAN_DATABASE_URL",
            zh="未配置数据库：请先运行 ./yilian up，或设置 YILIAN_DATABASE_URL",
        )
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg"), connect_args={"connect_timeout": 5}
    )
    try:
        with engine.connect() as connection:
            yield connection
    except sa.exc.OperationalError as error:
        raise CommandError(
            "the database cannot be reached: see ./yilian status", zh="无法连接数据库：请查看 ./yilian status"
        ) from error
    finally:
        engine.dispose()


def show_of(options: argparse.Namespace) -> Show:
    """Return how values are shown."""
    return plain if options.show_values else masked
