"""The emptying end of the spool: what is next, what was confirmed, and how the line stands."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import msgspec

from adapters.gateway.codec import Answer, Entry
from adapters.gateway.spool import Bounds, Level, connect

PRUNED = 1000
"""Entries deleted in one transaction: none of them keeps a sender waiting for long."""


class OtherHistoryError(Exception):
    """The hub has entries under numbers that mean others here: this spool is an older copy of itself."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What is to be sent next."""

    spool: bytes
    after: bytes
    """The mark of the entry before the first."""
    entries: list[Entry]


@dataclass(frozen=True, slots=True)
class Line:
    """How forwarding stands."""

    spool: bytes
    confirmed: int
    confirmed_at: float | None
    state: str
    """up, starting, or the code of what is wrong."""
    detail: str
    since: float


class Pending:
    """Reads and confirms, on a connection of its own; any thread, one at a time."""

    def __init__(self, path: Path, bounds: Bounds, level: Level, clock: Callable[[], float]) -> None:
        """`clock`: seconds since 1970. Counts what waits in the spool."""
        self._connection = connect(path)
        self._lock = Lock()
        self._bounds = bounds
        self._level = level
        self._clock = clock
        level.count, level.bytes = measure(self._connection)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def line(self) -> Line:
        """Return how forwarding stands."""
        with self._lock:
            return read_line(self._connection)

    def next(self, count: int, size: int) -> Piece:
        """Return at most `count` unconfirmed entries of together some `size` bytes; always one if any."""
        with self._lock:
            spool, confirmed, mark = self._connection.execute(
                "SELECT spool, confirmed, mark FROM line"
            ).fetchone()
            rows = self._connection.execute(
                "SELECT seq, mark, at, payload FROM entry WHERE seq > ? ORDER BY seq LIMIT ?",
                (confirmed, count),
            )
            entries: list[Entry] = []
            total = 0
            for seq, own, at, payload in rows:
                total += len(payload)
                if entries and total > size:
                    break
                entries.append(Entry(seq, own, at, msgspec.Raw(payload)))
            rows.close()
        return Piece(spool, mark, entries)

    def confirm(self, answer: Answer) -> int:
        """Note what the hub has committed; return how many entries that confirmed anew.

        Raises OtherHistoryError when it means other entries than those here.
        """
        with self._transaction() as connection:
            confirmed, mark = connection.execute("SELECT confirmed, mark FROM line").fetchone()
            if answer.committed <= confirmed:
                if answer.committed == confirmed and mark and answer.mark != mark:
                    raise OtherHistoryError
                return 0
            own = connection.execute("SELECT mark FROM entry WHERE seq = ?", (answer.committed,)).fetchone()
            if own is None or own[0] != answer.mark:
                raise OtherHistoryError
            gone = _between(connection, confirmed, answer.committed)
            connection.execute(
                "UPDATE line SET confirmed = ?, mark = ?, confirmed_at = ?",
                (answer.committed, answer.mark, self._clock()),
            )
        self._level.removed(*gone)
        return gone[0]

    def rewind(self, expected: int) -> bool:
        """Send again from a number on that was confirmed before; False when it is not kept any more."""
        with self._transaction() as connection:
            first = connection.execute("SELECT min(seq) FROM entry").fetchone()[0]
            if first is None or expected < first:
                return False
            confirmed = connection.execute("SELECT confirmed FROM line").fetchone()[0]
            again = _between(connection, expected - 1, confirmed)
            before = connection.execute("SELECT mark FROM entry WHERE seq = ?", (expected - 1,)).fetchone()
            connection.execute(
                "UPDATE line SET confirmed = ?, mark = ?", (expected - 1, before[0] if before else b"")
            )
        self._level.added(*again)
        return True

    def renew(self, *, everything: bool = False) -> int:
        """Begin another history: what is not confirmed is sent under it, and known control ids change nothing
        at the hub. `everything`: what was confirmed and is still kept, too. Returns how many are sent.
        """
        with self._transaction() as connection:
            connection.execute("UPDATE line SET spool = ?, mark = x''", (os.urandom(16),))
            confirmed = connection.execute("SELECT confirmed FROM line").fetchone()[0]
            first = connection.execute("SELECT min(seq) FROM entry").fetchone()[0]
            back = min(confirmed, first - 1) if everything and first is not None else confirmed
            again = _between(connection, back, confirmed)
            connection.execute("UPDATE line SET confirmed = ?", (back,))
        self._level.added(*again)
        return self._level.count

    def note(self, state: str, detail: str) -> None:
        """Keep how the line stands, for `status`."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE line SET since = CASE WHEN state = ? THEN since ELSE ? END, state = ?, detail = ?",
                (state, self._clock(), state, detail),
            )

    def prune(self) -> int:
        """Delete confirmed entries that are old, or for which there is no room; and control ids behind the
        window. Returns how many entries went.
        """
        now, bounds = self._clock(), self._bounds
        with self._transaction() as connection:
            confirmed = connection.execute("SELECT confirmed FROM line").fetchone()[0]
            kept = connection.execute(
                "SELECT coalesce(sum(size), 0) FROM entry WHERE seq <= ?", (confirmed,)
            ).fetchone()[0]
            crowded = kept + self._level.bytes > bounds.most_bytes or bool(self._level.full)
            until = now if crowded else now - bounds.keep.total_seconds()
            gone = connection.execute(
                "DELETE FROM entry WHERE seq IN (SELECT seq FROM entry WHERE seq <= ? AND at <= ?"
                " ORDER BY seq LIMIT ?)",
                (confirmed, until, PRUNED),
            ).rowcount
            connection.execute(
                "DELETE FROM known WHERE at < ? AND seq <= ?",
                (now - bounds.window.total_seconds(), confirmed),
            )
        if gone:
            with self._lock:
                self._connection.execute(f"PRAGMA incremental_vacuum({PRUNED})").fetchall()
        return int(gone)

    def oldest(self) -> float | None:
        """Return when the oldest unconfirmed entry was spooled, seconds since 1970."""
        with self._lock:
            return oldest(self._connection)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk has rolled back already
                    self._connection.execute("ROLLBACK")
                raise


def _between(connection: sqlite3.Connection, after: int, upto: int) -> tuple[int, int]:
    count, size = connection.execute(
        "SELECT count(*), coalesce(sum(size), 0) FROM entry WHERE seq > ? AND seq <= ?", (after, upto)
    ).fetchone()
    return count, size


def measure(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return how many entries wait, and their bytes."""
    confirmed = connection.execute("SELECT confirmed FROM line").fetchone()[0]
    return _between(connection, confirmed, 2**63 - 1)


def oldest(connection: sqlite3.Connection) -> float | None:
    """Return when the oldest unconfirmed entry was spooled, seconds since 1970."""
    found = connection.execute(
        "SELECT at FROM entry WHERE seq > (SELECT confirmed FROM line) ORDER BY seq LIMIT 1"
    ).fetchone()
    return found[0] if found else None


def read_line(connection: sqlite3.Connection) -> Line:
    """Return how forwarding stands."""
    return Line(
        *connection.execute(
            "SELECT spool, confirmed, confirmed_at, state, detail, since FROM line"
        ).fetchone()
    )
