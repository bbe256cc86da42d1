"""Files on the front machine, by the very poller of adapters/files: how far a file is read is kept in the
spool, in the transaction that spools its records.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from adapters.files import versions
from adapters.files.client import open_place
from adapters.files.codec import Reading
from adapters.files.ledger import Counts, File, refusal
from adapters.files.records import Bad, Record
from adapters.files.server import Poller
from adapters.files.settings import Source, load
from adapters.gateway.polled import Polled, polling
from adapters.gateway.settings import FileSource, GatewaySettings
from adapters.gateway.spool import Level, Spool, payload_of
from bus.envelope import Arrival, Outcome, Receipt, Refusal
from consortium.errors import PermanentError, RetryableError
from runtime.settings import FilePlace

_FILE = "SELECT id, state, records, refused, reason, moved FROM file WHERE source = ? AND digest = ?"


class SpoolBook:
    """`adapters.files.intake.Book` over the spool, on a connection of its own."""

    def __init__(self, spool: Spool, source: Source) -> None:
        self._spool = spool
        self._source = source

    def close(self) -> None:
        """Keep the connection: a poller that failed goes on with it."""

    def begin(self, digest: bytes, name: str, size: int) -> File:
        """Return what is known of a file, noting it when it is new. One that was rejected begins anew."""
        del size
        key = (self._source.name, digest)
        with self._spool.transaction():
            row = self._row(key)
            if row is None:
                self._execute(
                    "INSERT INTO file (source, digest, name, state) VALUES (?, ?, ?, 'reading')", (*key, name)
                )
                row = self._row(key)
            if row is None:
                raise RetryableError("the book of files did not answer")
            file = File(row[0], row[1], row[2], frozenset(json.loads(row[3])), row[4], bool(row[5]))
            if file.state == "rejected" and file.moved:
                self._execute(
                    "UPDATE file SET state = 'reading', records = 0, reason = NULL, moved = 0 WHERE id = ?",
                    (file.id,),
                )
                return File(file.id, "reading", 0, frozenset(), None, moved=False)
        return file

    def store(self, file: File, name: str, found: Sequence[Record | Bad]) -> Counts:
        """Spool records and, while the file is being read, how far it is read; together. A record that the
        spool cannot hold is refused, and the others are spooled.
        """
        with self._spool.transaction() as now:
            records = [one for one in found if isinstance(one, Record)]
            bad = [one for one in found if isinstance(one, Bad)]
            new = self._changed(records)
            outcomes = list[Outcome]()
            for record in new:
                receipt = self._put(record.arrival, now)
                if isinstance(receipt, Receipt):
                    outcomes.append(receipt.outcome)
                else:
                    reason = f"{receipt}: check its texts"
                    bad.append(Bad(record.line, "not_storable", reason, record.arrival.body, record.number))
            for one in bad:
                self._put(refusal(self._source, name, one, file), now)
            self._note(file, found, bad)
        return Counts(
            outcomes.count(Outcome.STORED),
            outcomes.count(Outcome.DUPLICATE) + len(records) - len(new),
            outcomes.count(Outcome.CONFLICT),
            len(bad),
        )

    def finish(
        self, file: File, state: str, reason: str | None = None, refusal: Refusal | None = None
    ) -> None:
        """Note that a file is taken or rejected."""
        with self._spool.transaction() as now:
            self._execute("UPDATE file SET state = ?, reason = ? WHERE id = ?", (state, reason, file.id))
            if refusal:
                self._put(refusal, now)

    def refuse(self, refusal: Refusal) -> None:
        """Keep what is refused without having been read."""
        with self._spool.transaction() as now:
            self._put(refusal, now)

    def moved(self, file: File) -> None:
        """Note that a file lies in archive or reject."""
        with self._spool.transaction():
            self._execute("UPDATE file SET moved = 1 WHERE id = ?", (file.id,))

    def settle(self) -> None:
        """Note that nothing waits to be moved: no file is claimed."""
        with self._spool.transaction():
            self._execute(
                "UPDATE file SET moved = 1 WHERE source = ? AND state <> 'reading'", (self._source.name,)
            )

    def refusal(self, name: str, bad: Bad, file: File | None = None) -> Refusal:
        """Return the refusal of a record; of a whole file where its number is 0."""
        return refusal(self._source, name, bad, file)

    def _put(self, item: Arrival | Refusal, now: float) -> Receipt | Exception:
        return self._spool.put(item, payload_of(item), now)

    def _changed(self, records: Sequence[Record]) -> list[Record]:
        keys = versions.keys_of(records)
        newest: dict[bytes, tuple[int, bytes]] = {}
        for short in keys.values():
            row = self._execute(
                "SELECT version, digest FROM file_record WHERE source = ? AND key = ?",
                (self._source.name, short),
            ).fetchone()
            if row is not None:
                newest[short] = (row[0], row[1])
        new, touched = versions.compared(records, keys, newest)
        for short, (version, digest) in touched.items():
            self._execute(
                "INSERT INTO file_record VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                " version = excluded.version, digest = excluded.digest",
                (self._source.name, short, version, digest),
            )
        return new

    def _note(self, file: File, found: Sequence[Record | Bad], bad: Sequence[Bad]) -> None:
        row = self._execute("SELECT state, records, refused FROM file WHERE id = ?", (file.id,)).fetchone()
        refused = set(json.loads(row[2])) - {one.number for one in found} | {one.number for one in bad}
        records = found[-1].number if file.state == "reading" else row[1]
        if file.state == "reading" and (row[0], row[1]) != ("reading", found[0].number - 1):
            raise RetryableError("the file was read further by another: it is begun again")
        self._execute(
            "UPDATE file SET records = ?, refused = ? WHERE id = ?",
            (records, json.dumps(sorted(refused)), file.id),
        )

    def _row(self, key: tuple[str, bytes]) -> Any:
        return self._execute(_FILE, key).fetchone()

    def _execute(self, statement: str, values: tuple[Any, ...]) -> Any:
        return self._spool.connection.execute(statement, values)


@contextmanager
def opened(settings: GatewaySettings, path: Path, level: Level) -> Iterator[Polled]:
    """Poll every source inside the block. Raises PermanentError for one that is described wrongly."""
    stop = threading.Event()
    folder = settings.spool.folder / "copies"
    folder.mkdir(mode=0o700, exist_ok=True)
    with ExitStack() as stack:
        pollers: dict[str, Poller] = {}
        for name, told in settings.files.items():
            spool = stack.enter_context(closing(Spool(path, settings.spool.bounds, level, time.time)))
            pollers[name] = _poller(settings, name, told, spool, folder, stop)
        yield stack.enter_context(polling("files", pollers, stop))


def _poller(
    settings: GatewaySettings, name: str, told: FileSource, spool: Spool, folder: Path, stop: threading.Event
) -> Poller:
    source = load(told.description).model_copy(update={"name": name})
    codec = settings.campuses.get(source.facility)
    if codec is None:
        raise PermanentError(f"files.{name}: {source.facility} is no campus of this gateway")
    place = open_place(FilePlace(**told.model_dump(exclude={"description"})))
    return Poller(Reading(source, codec, settings.body_limit), place, SpoolBook(spool, source), folder, stop)
