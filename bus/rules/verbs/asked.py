"""The options of the commands that are about one message, and reading it."""

from __future__ import annotations

import argparse
from pathlib import Path

import sqlalchemy as sa

from bus.rules.masking import Show, masked, plain
from bus.rules.message import Message, from_file, from_inbox
from bus.rules.verbs.output import CommandError
from bus.sources.source import Envelope
from runtime import settings


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
    if not (name.isascii() and name.isdecimal() and len(name) <= 18):
        known = Envelope(options.facility, options.sender, options.message_type, options.protocol)
        return from_file(Path(name), options.charset, known)
    url = settings.load().database_url
    if not url:
        raise CommandError("the database is not known: run ./yilian up first, or set YILIAN_DATABASE_URL")
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg"), connect_args={"connect_timeout": 5}
    )
    try:
        with engine.connect() as connection:
            return from_inbox(connection, int(name))
    except sa.exc.OperationalError as error:
        raise CommandError("the database cannot be reached: see ./yilian status") from error
    finally:
        engine.dispose()


def show_of(options: argparse.Namespace) -> Show:
    """Return how values are shown."""
    return plain if options.show_values else masked
