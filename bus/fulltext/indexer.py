"""Keeps the text index of documents: reads what is on the list, and writes what was found.

What cannot be read is in the index with the reason: it keeps nothing from being stored, nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import sqlalchemy as sa
import structlog

from bus.fulltext.extracting import Extracted, extract
from consortium.documents import indexing
from consortium.documents.content import ContentStore, CorruptContentError, StoreAwayError
from consortium.documents.indexing import SHARED, SOURCES, Facts, Pending
from consortium.records import query

log = structlog.get_logger("bus.fulltext")

BATCH = 20
ATTEMPTS = 3
"""One that was begun so often and never done ended the process: it is given up."""
_GIVEN_UP = Extracted("", f"{indexing.GIVEN_UP}: reading it ended the process {ATTEMPTS} times")
_LOST = Extracted("", "lost: its content is missing or damaged; see ./yilian documents check")
_ELSEWHERE = Extracted("", "elsewhere: it stays at its campus, and was not fetched yet")


@dataclass(frozen=True, slots=True)
class Indexer:
    """Reads the documents of one database."""

    engine: sa.Engine
    """Made with the store, as `consortium.records.query.STORE` says."""
    store: ContentStore

    def once(self) -> int:
        """Read what waits longest; return how many were done. Raises StoreAwayError: try again."""
        with self.engine.begin() as connection:
            claimed = indexing.claim(connection, BATCH)
        if not claimed:
            return 0
        try:
            self._read(claimed)
        except StoreAwayError:
            with self.engine.begin() as connection:
                indexing.leave(connection, claimed)
            raise
        return len(claimed)

    def read(
        self, connection: sa.Connection, source: str, ids: Sequence[UUID], *, anew: bool = False
    ) -> None:
        """Read documents in a transaction that has the index to itself; `anew`: also those that did not
        change since they were read. Raises StoreAwayError.
        """
        now, found = datetime.now(UTC), indexing.facts(connection, source, ids)
        for one in found:
            if anew or not indexing.move(connection, one, now):
                self._keep(connection, one, self._text(connection, one), now)
        indexing.forget(connection, sorted(set(ids) - {one.id for one in found}))

    def _read(self, claimed: Sequence[Pending]) -> None:
        with self.engine.begin() as connection:
            indexing.take(connection)
            for source in SOURCES:
                of_source = [one for one in claimed if one.source == source]
                self.read(connection, source, _ids(one for one in of_source if one.attempts <= ATTEMPTS))
                given_up = _ids(one for one in of_source if one.attempts > ATTEMPTS)
                for one in indexing.facts(connection, source, given_up):
                    self._keep(connection, one, _GIVEN_UP, datetime.now(UTC))
            indexing.done(connection, claimed)

    def _text(self, connection: sa.Connection, one: Facts) -> Extracted:
        try:
            content = self._content(connection, one)
        except CorruptContentError:
            return _LOST
        if content is None:
            return _LOST if one.sha256 else _ELSEWHERE
        return extract(content, one.mime_type)

    def _content(self, connection: sa.Connection, one: Facts) -> bytes | None:
        if one.source == SHARED:
            return self.store.get(one.sha256) if one.sha256 else None
        found = query.content(connection, one.id)
        return found.data if found else None

    def _keep(self, connection: sa.Connection, one: Facts, found: Extracted, now: datetime) -> None:
        indexing.keep(connection, one, found.text, found.problem, now)
        if found.problem:
            log.info("document_without_text", document_id=str(one.id), reason=found.problem.partition(":")[0])


def _ids(pending: Iterable[Pending]) -> list[UUID]:
    return sorted({one.document_id for one in pending})
