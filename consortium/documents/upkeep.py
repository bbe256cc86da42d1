"""Looking after the documents' store: is every content there and whole, and what lies there for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

import sqlalchemy as sa

from consortium.documents.content import ContentStore, CorruptContentError, Kept
from consortium.documents.stored import LOCK
from consortium.errors import RetryableError

BATCH = 200
SHOWN = 100
"""Most that a report names one by one."""
REMOVED = 20
"""Contents removed at a time: who puts documents waits for no more, and where nothing is removed for none."""
PATIENCE = 5.0
"""Seconds that a sweep waits for who puts documents."""

_PAGE = sa.text(
    "SELECT sha256 FROM documents.stored WHERE sha256 > :after"
    " UNION SELECT sha256 FROM records.blob WHERE coding = 'moved' AND sha256 > :after"
    " ORDER BY sha256 LIMIT :limit"
)
_NAMES = sa.text(
    "SELECT unique_id FROM documents.stored WHERE sha256 = :sha256"
    " UNION ALL SELECT 'sha256:' || encode(sha256, 'hex') FROM records.blob"
    " WHERE coding = 'moved' AND sha256 = :sha256 ORDER BY 1"
)
_COUNT = sa.text(
    "SELECT (SELECT count(DISTINCT sha256) FROM documents.stored)"
    " + (SELECT count(*) FROM records.blob WHERE coding = 'moved')"
)
_UNHELD = sa.text(
    "SELECT e.unique_id FROM documents.entry e WHERE e.repository_unique_id = :repository AND NOT EXISTS"
    " (SELECT FROM documents.stored s WHERE s.unique_id = e.unique_id AND s.repository = :repository)"
    " ORDER BY e.unique_id LIMIT :limit"
)
_PATIENCE = sa.text("SELECT set_config('lock_timeout', :patience, true)")
_TAKE = sa.text("SELECT pg_advisory_xact_lock(:key)")
_NOT_AVAILABLE = "55P03"
_NAMED = sa.text(
    "SELECT sha256 FROM documents.stored WHERE sha256 = ANY(CAST(:sha256 AS bytea[]))"
    " UNION SELECT sha256 FROM records.blob WHERE coding = 'moved' AND sha256 = ANY(CAST(:sha256 AS bytea[]))"
)

Progress = Callable[[int, int], None]
"""Hears how many contents were looked at, of how many."""


@dataclass
class Report:
    """What a check found; documents by unique id, at most `SHOWN` of each. What the bus took in and was moved
    is named by its content: `sha256:…`.
    """

    contents: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    not_held: list[str] = field(default_factory=list)
    """Registered for our repository, which has no row for them."""

    @property
    def sound(self) -> bool:
        """Whether all is well."""
        return not (self.missing or self.damaged or self.not_held)


@dataclass
class Swept:
    """What lay in the store without a row that names it."""

    orphans: int = 0
    bytes: int = 0
    unfinished: int = 0
    removed: bool = False


def check(engine: sa.Engine, store: ContentStore, repository: str, progress: Progress) -> Report:
    """Read every content and compare it with its name. Raises StoreAwayError."""
    report = Report()
    with engine.connect() as connection:
        total = connection.execute(_COUNT).scalar_one()
        for sha256 in _held(connection):
            found = _look(store, sha256)
            if found is not None:
                names = list(connection.execute(_NAMES, {"sha256": sha256}).scalars())
                _add(getattr(report, found), names)
            report.contents += 1
            if report.contents % BATCH == 0:
                progress(report.contents, total)
        wanted = {"repository": repository, "limit": SHOWN}
        report.not_held = list(connection.execute(_UNHELD, wanted).scalars())
    return report


def sweep(
    engine: sa.Engine, store: ContentStore, before: datetime, *, remove: bool, patience: float = PATIENCE
) -> Swept:
    """Find contents that nothing names and that were put before a time, and remove them if asked to.

    A submission, or a message, that puts the same content again holds off the removal of its batch, and a
    removal those: whatever is committed is there. Raises RetryableError where that lasts for more than
    `patience` seconds, StoreAwayError.
    """
    swept = Swept(removed=remove)
    for batch in _batches((one for one in store.all() if one.written_at < before), BATCH):
        with engine.connect() as connection:
            found = _orphans(connection, batch)
        if remove:
            parts = _batches(found, REMOVED)
            found = [one for part in parts for one in _removed(engine, store, part, patience)]
        swept.orphans += len(found)
        swept.bytes += sum(one.size for one in found)
    if remove:
        swept.unfinished = store.remove_unfinished(before)
    return swept


def _removed(engine: sa.Engine, store: ContentStore, part: Sequence[Kept], patience: float) -> list[Kept]:
    """Remove what is still named by nothing while nobody puts documents, and return it."""
    with engine.begin() as connection:
        _take(connection, patience)
        found = _orphans(connection, part)
        for one in found:
            store.remove(one.sha256)
    return found


def _take(connection: sa.Connection, patience: float) -> None:
    """Wait until nobody puts documents; who comes after waits for us, so a busy platform is swept, too."""
    connection.execute(_PATIENCE, {"patience": f"{patience * 1000:.0f}ms"})
    try:
        connection.execute(_TAKE, {"key": LOCK})
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _NOT_AVAILABLE:
            raise
        raise RetryableError("documents are being put for long; run it again") from error


def _held(connection: sa.Connection) -> Iterator[bytes]:
    after = b""
    while page := connection.execute(_PAGE, {"after": after, "limit": BATCH}).scalars().all():
        yield from map(bytes, page)
        after = bytes(page[-1])


def _look(store: ContentStore, sha256: bytes) -> str | None:
    try:
        return None if store.get(sha256) is not None else "missing"
    except CorruptContentError:
        return "damaged"


def _add(listed: list[str], names: Sequence[str]) -> None:
    listed += names[: SHOWN - len(listed)]


def _batches(found: Iterable[Kept], most: int) -> Iterator[list[Kept]]:
    walk = iter(found)
    while batch := list(islice(walk, most)):
        yield batch


def _orphans(connection: sa.Connection, batch: Sequence[Kept]) -> list[Kept]:
    wanted = {"sha256": [one.sha256 for one in batch]}
    named = {bytes(row) for row in connection.execute(_NAMED, wanted).scalars()}
    return [one for one in batch if one.sha256 not in named]
