"""What a process follows: a part of the deployed rule set, laid out when another set is active."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from bus.rules.versions import store
from bus.rules.versions.deciding import stored
from consortium.errors import PermanentError

State = str | tuple[tuple[str, int, int], ...]
"""The digest of a set; of a folder its files with their times and sizes."""


@dataclass(frozen=True, slots=True)
class Described:
    """The files as they are to be now. A context manager: the folder lasts as long as its block."""

    state: State
    version: str | None
    """Digest of the deployed set; None: they are of a folder that no set came from."""
    folder: Path
    """Laid out as `rules/` is."""
    _held: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Described:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()


Look = Callable[[State | None], Described | None]
"""Looks for files in another state than the given one; None: there are none."""


def in_folder(rules_dir: Path, below: tuple[str, ...], known: State | None) -> Described | None:
    """Look at the files of a folder."""
    state = tuple(
        (str(path), (stat := path.stat()).st_mtime_ns, stat.st_size)
        for part in below
        for path in sorted((rules_dir / part).rglob("*"))
        if path.is_file()
    )
    return None if state == known else Described(state, None, rules_dir)


def deployed(
    engine: sa.Engine, rules_dir: Path, below: tuple[str, ...], known: State | None
) -> Described | None:
    """Look at what lies `below` (such as `destinations/`) in the active set, or in the folder before the
    first set is deployed.

    Raises SQLAlchemy's errors, `UnfitFilesError`, OSError.
    """
    with engine.connect() as connection, ExitStack() as held:
        digest = store.active_digest(connection)
        if digest is None:
            return in_folder(rules_dir, below, known)
        if digest == known:
            return None
        folder = held.enter_context(stored(connection, digest, below))
        return Described(digest, digest, folder, held.pop_all())


def looking(database_url: str, name: str) -> sa.Engine:
    """Return a way to the database on which a process looks what is deployed, a statement at a time."""
    return sa.create_engine(
        sa.make_url(database_url).set(drivername="postgresql+psycopg"),
        pool_size=1,
        pool_pre_ping=True,
        isolation_level="AUTOCOMMIT",
        connect_args={"connect_timeout": 3, "application_name": name},
    )


class Following:
    """Takes in what is deployed, whenever it is something else. What cannot be read changes nothing, and is
    told once.
    """

    def __init__(self, look: Look, tell: Callable[[str], None]) -> None:
        """`tell` hears why it cannot be read: a sentence for a person, without statements of SQL."""
        self._look = look
        self._tell = tell
        self._state: State | None = None
        self.unread = ""
        """Why what is deployed could not be read; empty: it was."""

    @property
    def begun(self) -> bool:
        """Whether anything was taken in yet."""
        return self._state is not None

    def follow(self, take: Callable[[Path], None]) -> None:
        """Give `take` the folder that is deployed now, unless it has had it.

        `take` may raise PermanentError or OSError: it gets the same folder again.
        """
        try:
            found = self._look(self._state)
            if found is not None:
                with found:
                    take(found.folder)
        except (sa.exc.SQLAlchemyError, OSError, PermanentError) as error:
            self._cannot_read(error)
            return
        self.unread = ""
        if found is not None:
            self._state = found.state

    def _cannot_read(self, error: Exception) -> None:
        # What SQLAlchemy says quotes statements.
        reason = type(error).__name__ if isinstance(error, sa.exc.SQLAlchemyError) else str(error)
        if reason != self.unread:
            self._tell(reason)
        self.unread = reason
