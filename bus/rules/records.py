"""What the consortium's records have, as a rule may ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

import sqlalchemy as sa

from consortium.records import lookup

Fact = Mapping[str, Any]
"""One fact as the canonical model shapes it: texts, numbers, times, and objects of these."""


class Records(Protocol):
    """Where a rule looks things up."""

    def find(self, facility: str, kind: str, number: str) -> Fact | None:
        """Return what is known of a campus's patient, encounter or order; None when it is not known."""
        ...


class NoRecords:
    """Nothing is known: a file that is tried out, and a test that gives no records."""

    def find(self, facility: str, kind: str, number: str) -> Fact | None:
        """Return None."""
        del facility, kind, number
        return None


NOTHING_KNOWN: Final = NoRecords()


class GivenRecords:
    """What a test gives: kind, number, and what is known."""

    def __init__(self, given: Mapping[str, Mapping[str, Fact]]) -> None:
        """Keep them."""
        self._given = given

    def find(self, facility: str, kind: str, number: str) -> Fact | None:
        """Return what the test gives, whatever the campus."""
        del facility
        return self._given.get(kind, {}).get(number)


class KnownRecords:
    """The consortium's records, as they stand in a transaction."""

    def __init__(self, connection: sa.Connection, before: Callable[[], None] = lambda: None) -> None:
        """`before` is called ahead of each question: it writes what is decided and not yet written."""
        self._connection = connection
        self._before = before

    def find(self, facility: str, kind: str, number: str) -> Fact | None:
        """Ask the database."""
        self._before()
        return lookup.find(self._connection, facility, kind, number)


class FreshRecords:
    """The consortium's records as they stand when they are asked, each time on a connection of its own."""

    def __init__(self, connect: Callable[[], AbstractContextManager[sa.Connection]]) -> None:
        """`connect` opens a connection."""
        self._connect = connect

    def find(self, facility: str, kind: str, number: str) -> Fact | None:
        """Ask the database."""
        with self._connect() as connection:
            return lookup.find(connection, facility, kind, number)
