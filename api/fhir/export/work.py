"""Working at the exports, one at a time, in a thread beside the API.

A part is written page by page, synced, and renamed within the transaction that records it and how far the job
is. So whatever ends the process, the next one goes on behind the last part that is recorded: what was written
of the part after it is written again, and no line is lost or comes twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
import structlog

from api.encoding import encode
from api.fhir.export import files, jobs, pages
from api.fhir.export.jobs import Job, Part
from api.fhir.export.pages import PAGE, Page
from bus.fhir.systems import Systems
from bus.repeating import repeating
from runtime.settings import Settings

log = structlog.get_logger("api.export")

LOOK = 1.0
"""Seconds between looks for work."""
SWEEP = 300.0
"""Seconds between two sweeps."""
PART = 25_000
"""Lines of a part at most, but for those of the last page."""
REST = 1.0
"""After a page it rests as long as the page took, times this: the API's other work goes first."""
LOCK = 0x59_69_6C_69_61_6E_16
"""Advisory lock of whoever works."""
_TAKE = sa.text("SELECT pg_try_advisory_lock(:lock)")
_LEAVE = sa.text("SELECT pg_advisory_unlock(:lock)")


@dataclass
class Exporter:
    """Works at the jobs of one database."""

    engine: sa.Engine
    root: Path
    systems: Systems
    keep_hours: int
    stop: threading.Event = field(default_factory=threading.Event)
    part: int = PART
    page: int = PAGE
    rest: float = REST
    _swept: float = float("-inf")

    def look(self) -> bool:
        """Work at the next job, if there is one, to its end; False when there is none, or another process
        works. Raises SQLAlchemyError, OSError: try again.
        """
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as guard:
            if not guard.execute(_TAKE, {"lock": LOCK}).scalar_one():
                return False
            try:
                self._sweep_at_times()
                job = jobs.following(guard)
                if job is None:
                    return False
                self._work(job)
                return True
            finally:
                guard.execute(_LEAVE, {"lock": LOCK})

    def _work(self, job: Job) -> None:
        try:
            self._write(job)
        except OSError as error:
            self._say(job.id, f"the folder of the exports takes nothing: {error.strerror}")
            raise
        except (sa.exc.OperationalError, sa.exc.InterfaceError):
            raise
        except Exception as error:
            # It would be the same again: the job fails and says so, and the next one has its turn.
            log.exception("export_failed", id=str(job.id))
            with self.engine.begin() as connection:
                jobs.end(connection, job.id, f"{type(error).__name__}: see the log of the API")

    def _say(self, id_: UUID, error: str) -> None:
        with self.engine.begin() as connection:
            jobs.stopped(connection, id_, error)

    def _write(self, job: Job) -> None:
        """Write part after part until nothing is left, or the job or the process is stopped."""
        with self.engine.begin() as connection:
            current = jobs.settle(connection, job.id)
        while current is not None and current.place < len(current.types):
            current = self._part(current)
        if current is not None:
            with self.engine.begin() as connection:
                jobs.end(connection, job.id)
            log.info("export_done", id=str(job.id), count=current.lines)

    def _part(self, job: Job) -> Job | None:
        """Write the next part; return the job as it is then, None when it is to be left."""
        kind, after, lines = job.types[job.place], job.after, 0
        persons: set[UUID] = set()
        with files.Writing(self.root, job.id) as writing:
            while lines < self.part:
                found = self._page(job, kind, after)
                if found is None:
                    return None
                writing.add(encode(resource) for resource in found.resources)
                lines += len(found.resources)
                persons |= found.persons
                after = found.after
                if after is None:
                    break
            number = job.parts + 1
            name = files.name_of(number, kind)
            part = Part(number, name, kind, lines, len(persons), writing.synced()) if lines else None
            place = job.place if after else job.place + 1
            with self.engine.begin() as connection:
                if not jobs.advance(connection, job, place, after, part):
                    return None
                if part is not None:
                    writing.keep(name)
        with self.engine.connect() as connection:
            return jobs.find(connection, job.id)

    def _page(self, job: Job, kind: str, after: UUID | None) -> Page | None:
        """Read a page of one moment; None when the job or the process is stopped."""
        begun = time.monotonic()
        snapshot = self.engine.execution_options(isolation_level="REPEATABLE READ")
        with snapshot.connect() as connection:
            if self.stop.is_set() or not jobs.is_active(connection, job.id):
                return None
            found = pages.page(connection, job, kind, after, self.systems, self.page)
        self.stop.wait((time.monotonic() - begun) * self.rest)
        return found

    def _sweep_at_times(self) -> None:
        if time.monotonic() - self._swept >= SWEEP:
            self.sweep()
            self._swept = time.monotonic()

    def sweep(self) -> None:
        """Take away what is older than it is kept, and files whose job is gone. Raises OSError."""
        with self.engine.begin() as connection:
            gone = jobs.expire(connection, self.keep_hours)
        there = files.left(self.root)  # before the jobs are read: a folder is made after its job
        with self.engine.connect() as connection:
            known = {job.id for job in jobs.everyones(connection)}
        for id_ in {*gone, *(id_ for id_ in there if id_ not in known)}:
            files.remove(self.root, id_)
            log.info("export_removed", id=str(id_))


@contextmanager
def exporting(settings: Settings) -> Iterator[None]:
    """Work at the exports from a thread of its own inside the `with` block."""
    url = sa.make_url(settings.database_url).set(drivername="postgresql+psycopg")
    arguments = {"connect_timeout": 5, "application_name": "export"}
    engine = sa.create_engine(
        url, pool_size=2, max_overflow=1, pool_pre_ping=True, hide_parameters=True, connect_args=arguments
    )
    exporter = Exporter(engine, files.folder(settings), Systems(settings), settings.export_keep_hours)
    try:
        with repeating("exporting", LOOK, exporter.look, _interrupted, exporter.stop, patience=8):
            yield
    finally:
        engine.dispose()


def _interrupted(error: Exception) -> None:
    log.warning("export_interrupted", error=type(error).__name__)
