"""The systems that the deployed rule set declares, not the files of the checkout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Lock

import sqlalchemy as sa

from bus.rules.systems import SystemsFile, load_declared
from bus.rules.versions import store
from bus.rules.versions.deciding import stored

BELOW = "campuses/"
"""Where they lie in a set."""


class CurrentSystems:
    """The systems declared by the deployed set, read once for each; those of a folder before the first one.

    Safe for threads.
    """

    def __init__(self, rules_dir: Path) -> None:
        """`rules_dir`: where they are before the first set is deployed."""
        self._dir = rules_dir
        self._lock = Lock()
        self._digest: str | None = None
        self._found: Mapping[str, SystemsFile] = {}

    def get(self, connection: sa.Connection) -> Mapping[str, SystemsFile]:
        """Return them by campus, without files that have a mistake: those are not deployed.

        Raises `UnfitFilesError`, OSError.
        """
        with self._lock:
            digest = store.active_digest(connection)
            if digest is None:
                return load_declared(self._dir).by_facility
            if digest != self._digest:
                with stored(connection, digest, BELOW) as folder:
                    self._found = load_declared(folder).by_facility
                self._digest = digest
            return self._found
