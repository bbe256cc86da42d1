"""The spool: one SQLite file in which every message lies before its sender hears that it was taken.

WAL with synchronous=FULL: a commit returns after its fsync. The control ids stay for the window after their
messages are gone, so that a retry gets the answer that the hub would give.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Lock

from adapters.gateway.codec import packed
from bus.envelope import Arrival, Outcome, Receipt, Refusal
from bus.inbox.decide import Known, decide
from consortium.errors import PermanentError, RetryableError

FILE, LOCK = "spool.db", "lock"
BUSY = 10.0
"""Seconds to wait for the other connection's commit."""

SCHEMA = """
CREATE TABLE entry (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT,
  mark    BLOB NOT NULL,
  at      REAL NOT NULL,
  size    INTEGER NOT NULL,
  payload BLOB NOT NULL
);
CREATE INDEX entry_size ON entry (seq, size, at);
CREATE TABLE known (
  facility TEXT NOT NULL, sender TEXT NOT NULL, control_id TEXT NOT NULL, generation INTEGER NOT NULL,
  digest BLOB NOT NULL, at REAL NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY (facility, sender, control_id, generation)
) WITHOUT ROWID;
CREATE INDEX known_at ON known (at);
CREATE TABLE line (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  spool BLOB NOT NULL, confirmed INTEGER NOT NULL, mark BLOB NOT NULL, confirmed_at REAL,
  state TEXT NOT NULL, detail TEXT NOT NULL, since REAL NOT NULL
);
CREATE TABLE watermark (poller TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE brought (
  facility TEXT NOT NULL, sender TEXT NOT NULL, control_id TEXT NOT NULL,
  patient_number TEXT, visit_number TEXT,
  PRIMARY KEY (facility, sender, control_id)
) WITHOUT ROWID;
CREATE TABLE file (
  id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, digest BLOB NOT NULL, name TEXT NOT NULL,
  state TEXT NOT NULL, records INTEGER NOT NULL DEFAULT 0, refused TEXT NOT NULL DEFAULT '[]',
  reason TEXT, moved INTEGER NOT NULL DEFAULT 0,
  UNIQUE (source, digest)
);
CREATE TABLE file_record (
  source TEXT NOT NULL, key BLOB NOT NULL, version INTEGER NOT NULL, digest BLOB NOT NULL,
  PRIMARY KEY (source, key)
) WITHOUT ROWID;
PRAGMA user_version = 1;
"""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may be spooled, and for how long what is known of it is kept."""

    most_bytes: int = 20 * 1024**3
    """Of entries that the hub has not confirmed."""
    free_bytes: int = 512 * 1024**2
    """What is left free on the disk."""
    window: timedelta = timedelta(days=30)
    """How long a control id stays known."""
    keep: timedelta = timedelta(hours=24)
    """How long a confirmed entry stays, if there is room: a hub restored from a backup asks for it again."""


class Level:
    """How full the spool is; shared by who fills it and who empties it, in any thread."""

    def __init__(self) -> None:
        self.count = 0
        self.bytes = 0
        self.full = ""
        """Why nothing is taken at present; empty: it is."""
        self.changed: Callable[[], None] = lambda: None
        """Called after something was added."""
        self._lock = Lock()

    def added(self, count: int, size: int) -> None:
        """Count what was committed."""
        with self._lock:
            self.count += count
            self.bytes += size
        if count:
            self.changed()

    def removed(self, count: int, size: int) -> None:
        """Count what was confirmed."""
        with self._lock:
            self.count -= count
            self.bytes -= size


def connect(path: Path) -> sqlite3.Connection:
    """Open a spool's file, which is there. Raises PermanentError for a file that is no spool of ours."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA journal_mode = WAL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _unusable(path, error) from error
    if version != 1:
        connection.close()
        raise PermanentError(f"{path} is the spool of another version ({version}): see docs/gateway.md")
    return connection


@contextmanager
def opened(folder: Path, now: float) -> Iterator[Path]:
    """Make the spool where there is none and keep it for this process alone; give its file.

    Raises PermanentError when another process has it, or the folder cannot be used.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PermanentError(f"the folder of the spool {folder}: {os.strerror(error.errno or 0)}") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise PermanentError(f"another gateway runs on the spool {folder}: end it first") from error
        yield _made(folder / FILE, now)
    finally:
        os.close(lock)


def running(folder: Path) -> bool:
    """Say whether a process has the spool."""
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def _made(path: Path, now: float) -> Path:
    """Make the file under another name first: half a spool is never taken for one."""
    if path.exists():
        return path
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = sqlite3.connect(fresh, isolation_level=None)
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.executescript(f"BEGIN; {SCHEMA} COMMIT;")
        connection.execute(
            "INSERT INTO line VALUES (1, ?, 0, x'', NULL, 'starting', '', ?)", (os.urandom(16), now)
        )
    except sqlite3.Error as error:
        raise _unusable(path, error) from error
    finally:
        connection.close()
    fresh.rename(path)
    for place in (path, path.parent):
        handle = os.open(place, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
    return path


def _unusable(path: Path, error: sqlite3.Error) -> PermanentError:
    return PermanentError(
        f"the spool {path} cannot be used ({error}): keep the file, nothing in it is lost by that;"
        " docs/gateway.md says how to bring back what it holds"
    )


class Spool:
    """The filling end, on a connection of its own; one thread at a time."""

    def __init__(self, path: Path, bounds: Bounds, level: Level, clock: Callable[[], float]) -> None:
        """`clock`: seconds since 1970."""
        self._path = path
        self._bounds = bounds
        self._level = level
        self._clock = clock
        self._count = self._size = 0
        self.connection = connect(path)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def store(self, items: Sequence[Arrival | Refusal]) -> list[Receipt | Exception]:
        """Commit these together and return what becomes of each: a receipt, or PermanentError.

        Raises RetryableError, and nothing is stored, when there is no room or the disk fails.
        """
        payloads = [payload_of(item) for item in items]
        with self.transaction() as now:
            return [self.put(item, payload, now) for item, payload in zip(items, payloads, strict=True)]

    @contextmanager
    def transaction(self) -> Iterator[float]:
        """Commit what is done inside; give the time. Raises RetryableError when there is no room."""
        connection, level = self.connection, self._level
        now = self._clock()
        try:
            self._room()
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._count = self._size = 0
                yield now
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk has rolled back already
                    connection.execute("ROLLBACK")
                raise
        except (sqlite3.Error, OSError) as error:
            level.full = f"the spool cannot write ({error})"
            raise RetryableError(
                f"the gateway {level.full}: send the message again; see yilian gateway status"
            ) from error
        level.full = ""
        level.added(self._count, self._size)

    def put(self, item: Arrival | Refusal, payload: bytes | Exception, now: float) -> Receipt | Exception:
        """Add one to the transaction, unless it is known; its receipt holds once that commits."""
        if isinstance(payload, Exception):
            return payload
        if isinstance(item, Refusal):
            return Receipt(self._insert(payload, now), Outcome.STORED)
        key = (item.facility, item.sender, item.control_id)
        since = now - self._bounds.window.total_seconds()
        known = [
            Known(seq, generation, digest, at > since)
            for seq, generation, digest, at in self.connection.execute(
                "SELECT seq, generation, digest, at FROM known"
                " WHERE facility = ? AND sender = ? AND control_id = ?",
                key,
            )
        ]
        decision = decide(known, item.digest)
        if decision.id is not None:
            return Receipt(decision.id, decision.outcome)
        seq = self._insert(payload, now)
        self.connection.execute(
            "INSERT INTO known VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*key, decision.generation, item.digest, now, seq),
        )
        return Receipt(seq, decision.outcome)

    def _insert(self, payload: bytes, now: float) -> int:
        cursor = self.connection.execute(
            "INSERT INTO entry (mark, at, size, payload) VALUES (?, ?, ?, ?)",
            (os.urandom(16), now, len(payload), payload),
        )
        self._count += 1
        self._size += len(payload)
        seq = cursor.lastrowid
        assert seq is not None  # noqa: S101 - an INSERT gives a row id
        return seq

    def _room(self) -> None:
        level, bounds = self._level, self._bounds
        free = shutil.disk_usage(self._path.parent).free
        if free < bounds.free_bytes:
            level.full = f"the disk of the spool has {free // 1024**2} MiB left"
        elif level.bytes >= bounds.most_bytes:
            level.full = f"the spool holds {level.bytes // 1024**2} MiB that the hub has not confirmed"
        else:
            return
        raise RetryableError(f"{level.full}: send the message again; see yilian gateway status")


def payload_of(item: Arrival | Refusal) -> bytes | Exception:
    """Return what is kept of a message or refusal; PermanentError for one that cannot be spooled."""
    try:
        return packed(item)
    except UnicodeEncodeError:
        return PermanentError("this message cannot be spooled: a routing field holds half a character")
