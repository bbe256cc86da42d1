"""The platform's side: the inbox and how far a file is read, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from adapters.files import versions
from adapters.files.records import Bad, Record
from adapters.files.settings import Source
from bus.envelope import Outcome, Receipt, Refusal
from bus.inbox import accept_in, refuse_in
from consortium.errors import PermanentError, RetryableError
from runtime.settings import Settings

KEPT = 64 * 1024
"""How much of a refused record is kept, bytes."""

_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('files/' || %s, 0))"
_BEGIN = (
    "INSERT INTO bus.file AS f (source, digest, name, size)"
    " VALUES (%(source)s, %(digest)s, %(name)s, %(size)s)"
    " ON CONFLICT (source, digest) DO UPDATE SET name = excluded.name,"
    " seen = f.seen + (f.moved_at IS NOT NULL)::int"
    " RETURNING id, state, records, refused, reason, moved_at IS NOT NULL"
)
_ANEW = (
    "UPDATE bus.file SET state = 'reading', records = 0, reason = NULL, finished_at = NULL, moved_at = NULL"
    " WHERE id = %s"
)
_ADVANCE = (
    "UPDATE bus.file SET records = %(upto)s,"
    " stored = stored + %(stored)s, repeated = repeated + %(repeated)s,"
    " conflicts = conflicts + %(conflicts)s, refused = refused || %(refused)s::bigint[]"
    " WHERE id = %(id)s AND state = 'reading' AND records = %(from)s"
)
_MEND = (
    "UPDATE bus.file SET stored = stored + %(stored)s, repeated = repeated + %(repeated)s,"
    " conflicts = conflicts + %(conflicts)s,"
    " refused = ARRAY(SELECT n FROM unnest(refused) AS n WHERE n <> ALL(%(tried)s::bigint[])"
    " UNION SELECT unnest(%(refused)s::bigint[]) ORDER BY 1)"
    " WHERE id = %(id)s AND state = 'taken'"
)
_FINISH = "UPDATE bus.file SET state = %s, reason = %s, finished_at = clock_timestamp() WHERE id = %s"
_MOVED = "UPDATE bus.file SET moved_at = clock_timestamp() WHERE id = %s"
_SETTLE = (
    "UPDATE bus.file SET moved_at = clock_timestamp()"
    " WHERE source = %s AND state <> 'reading' AND moved_at IS NULL"
)
_TRACE = (
    "INSERT INTO bus.trace (message_id, step, detail) SELECT id, 'read', detail"
    " FROM unnest(%s::bigint[], %s::jsonb[]) AS read (id, detail)"
)


@dataclass(frozen=True, slots=True)
class File:
    """A file as the ledger knows it."""

    id: int
    state: str
    """reading, taken or rejected."""
    records: int
    """So many are behind us."""
    refused: frozenset[int]
    """The records that could not be taken."""
    reason: str | None
    moved: bool
    """It lay in archive or reject before, so this is the same content again."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of records."""

    stored: int = 0
    repeated: int = 0
    conflicts: int = 0
    refused: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Add two counts."""
        return Counts(
            self.stored + other.stored,
            self.repeated + other.repeated,
            self.conflicts + other.conflicts,
            self.refused + other.refused,
        )


class Ledger:
    """One connection, made when needed and made again when it broke; it holds the source's lock.

    psycopg's errors pass through; the next call connects anew.
    """

    def __init__(self, settings: Settings, source: Source) -> None:
        if not settings.database_url:
            raise PermanentError("the setting database_url is empty; run ./yilian up first")
        self._url = settings.database_url
        self._routing_key = settings.routing_key
        self._window = timedelta(days=settings.dedupe_days)
        self._source = source
        self._connection: psycopg.Connection[Any] | None = None

    def close(self) -> None:
        """Close the connection; what is not committed is rolled back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):  # it may be broken already, which is why it is closed
                connection.close()

    def begin(self, digest: bytes, name: str, size: int) -> File:
        """Return what is known of a file, noting it when it is new. One that was rejected begins anew."""
        with self._connected().transaction():
            told = {"source": self._source.name, "digest": digest, "name": name, "size": size}
            row = self._connected().execute(_BEGIN, told).fetchone()
            if row is None:
                raise RetryableError("the ledger did not answer")
            file = File(row[0], row[1], row[2], frozenset(row[3]), row[4], row[5])
            if file.state != "rejected" or not file.moved:
                return file
            self._connected().execute(_ANEW, (file.id,))
        return File(file.id, "reading", 0, frozenset(), None, moved=False)

    def store(self, file: File, name: str, found: Sequence[Record | Bad]) -> Counts:
        """Commit records and, while the file is being read, how far it is read; together.

        A record that the database cannot hold is refused, and the others are stored.
        """
        try:
            return self._store(file, name, found)
        except (psycopg.DataError, psycopg.IntegrityError, UnicodeEncodeError) as error:
            if len(found) > 1:
                return sum((self.store(file, name, [one]) for one in found), Counts())
            (only,) = found
            raw = only.raw if isinstance(only, Bad) else only.arrival.body
            reason = f"the inbox cannot store it ({type(error).__name__}): check its texts"
            return self._store(file, name, [Bad(only.line, "not_storable", reason, raw, only.number)])

    def finish(
        self, file: File, state: str, reason: str | None = None, refusal: Refusal | None = None
    ) -> None:
        """Note that a file is taken or rejected."""
        with self._connected().transaction():
            self._connected().execute(_FINISH, (state, reason, file.id))
            if refusal:
                refuse_in(self._connected(), [refusal])

    def refuse(self, refusal: Refusal) -> None:
        """Keep what is refused without having been read."""
        refuse_in(self._connected(), [refusal])

    def moved(self, file: File) -> None:
        """Note that a file lies in archive or reject."""
        self._connected().execute(_MOVED, (file.id,))

    def settle(self) -> None:
        """Note that nothing waits to be moved: no file is claimed."""
        self._connected().execute(_SETTLE, (self._source.name,))

    def refusal(self, name: str, bad: Bad, file: File | None = None) -> Refusal:
        """Return the refusal of a record; of a whole file where its number is 0."""
        return refusal(self._source, name, bad, file)

    def _store(self, file: File, name: str, found: Sequence[Record | Bad]) -> Counts:
        connection = self._connected()
        with connection.transaction():
            records = [one for one in found if isinstance(one, Record)]
            bad = [one for one in found if isinstance(one, Bad)]
            new = versions.changed(connection, self._source.name, records)
            arrivals = [one.arrival for one in new]
            receipts = accept_in(connection, arrivals, routing_key=self._routing_key, window=self._window)
            refuse_in(connection, [self.refusal(name, one, file) for one in bad])
            _trace(connection, file, new, receipts)
            outcomes = [receipt.outcome for receipt in receipts]
            counts = Counts(
                outcomes.count(Outcome.STORED),
                outcomes.count(Outcome.DUPLICATE) + len(records) - len(new),
                outcomes.count(Outcome.CONFLICT),
                len(bad),
            )
            self._note(connection, file, found, counts)
        return counts

    def _note(
        self, connection: psycopg.Connection[Any], file: File, found: Sequence[Record | Bad], counts: Counts
    ) -> None:
        told = {
            "id": file.id,
            "from": found[0].number - 1,
            "upto": found[-1].number,
            "tried": [one.number for one in found],
            "refused": [one.number for one in found if isinstance(one, Bad)],
            "stored": counts.stored,
            "repeated": counts.repeated,
            "conflicts": counts.conflicts,
        }
        if connection.execute(_ADVANCE if file.state == "reading" else _MEND, told).rowcount != 1:
            raise RetryableError("the file was read further by another process: it is begun again")

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.broken or self._connection.closed:
            self._connection = psycopg.connect(
                self._url, autocommit=True, connect_timeout=5, application_name="yilian files"
            )
            row = self._connection.execute(_LOCK, (self._source.name,)).fetchone()
            if row is None or not row[0]:
                self.close()
                raise RetryableError("another process reads this source: only one may")
        return self._connection


def refusal(source: Source, name: str, bad: Bad, file: File | None = None) -> Refusal:
    """Return the refusal of a record; of a whole file where its number is 0."""
    place = f"line {bad.line}, record {bad.number} of file {file.id}: " if file and bad.number else ""
    return Refusal(
        protocol="files",
        endpoint=source.name,
        peer=f"{name}:{bad.line}" if bad.line else name,
        code=bad.code,
        reason=place + bad.reason,
        body=bad.raw[:KEPT],
        size=len(bad.raw),
        facility=source.facility,
        message_type=source.message_type or None,
    )


def _trace(
    connection: psycopg.Connection[Any], file: File, new: Sequence[Record], receipts: Sequence[Receipt]
) -> None:
    # The way back from a message to its file and line.
    fresh = [(r.id, one) for one, r in zip(new, receipts, strict=True) if r.outcome is not Outcome.DUPLICATE]
    if fresh:
        details = [Jsonb({"file": file.id, "line": one.line, "record": one.number}) for _, one in fresh]
        connection.execute(_TRACE, ([number for number, _ in fresh], details))
