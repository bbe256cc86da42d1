"""What delivery goes by: the destinations of the deployed rule set, laid out when another one is active."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from bus.rules.versions import store
from bus.rules.versions.deciding import stored
from bus.rules.versions.destinations import BELOW

State = str | tuple[tuple[str, int, int], ...]
"""The digest of a set; of a folder its files with their times and sizes."""


@dataclass(frozen=True, slots=True)
class Described:
    """The destinations as they are to be now. A context manager: the folder lasts as long as its block."""

    state: State
    version: str | None
    """Digest of the deployed set; None: they are of a folder that no set came from."""
    folder: Path
    """With `destinations/` in it."""
    _held: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Described:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()


Look = Callable[[State | None], Described | None]
"""Looks for destinations in another state than the given one; None: there are none."""


def in_folder(rules_dir: Path, known: State | None) -> Described | None:
    """Look at the files of a folder."""
    state = tuple(
        (str(path), (stat := path.stat()).st_mtime_ns, stat.st_size)
        for path in sorted((rules_dir / BELOW).rglob("*"))
        if path.is_file()
    )
    return None if state == known else Described(state, None, rules_dir)


def deployed(engine: sa.Engine, rules_dir: Path, known: State | None) -> Described | None:
    """Look at the active set, or at the folder before the first is deployed.

    Raises SQLAlchemy's errors, `UnfitFilesError`, OSError.
    """
    with engine.connect() as connection, ExitStack() as held:
        digest = store.active_digest(connection)
        if digest is None:
            return in_folder(rules_dir, known)
        if digest == known:
            return None
        folder = held.enter_context(stored(connection, digest, BELOW))
        return Described(digest, digest, folder, held.pop_all())
