"""A part of the rule set that decides now: what is deployed counts, not the files of the checkout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

import sqlalchemy as sa

from bus.rules.versions import store
from bus.rules.versions.deciding import stored

T = TypeVar("T")


class Current(Generic[T]):
    """What the deployed set has of something, by its key, read once for each set; what a folder has of it
    before the first one.

    Safe for threads.
    """

    def __init__(
        self, rules_dir: Path, below: tuple[str, ...], read: Callable[[Path], Mapping[str, T]]
    ) -> None:
        """`rules_dir`: where it is before the first set is deployed; `below`: where it lies in a set."""
        self._dir = rules_dir
        self._below = below
        self._read = read
        self._lock = Lock()
        self._digest: str | None = None
        self._found: Mapping[str, T] = {}

    def get(self, connection: sa.Connection) -> Mapping[str, T]:
        """Return it, without files that have a mistake.

        Raises `UnfitFilesError`, OSError.
        """
        with self._lock:
            digest = store.active_digest(connection)
            if digest is None:
                return self._read(self._dir)
            if digest != self._digest:
                with stored(connection, digest, self._below) as folder:
                    self._found = self._read(folder)
                self._digest = digest
            return self._found
