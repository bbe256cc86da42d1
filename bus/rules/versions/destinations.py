"""The destinations of the rules that decide now: what is deployed counts, not the files of the checkout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Lock

import sqlalchemy as sa

from bus.rules.destinations import AnyDestination, load_destinations
from bus.rules.versions import store
from bus.rules.versions.deciding import stored

BELOW = ("destinations/", "campuses/")
"""Where destinations and what they pin lie in a set."""


class CurrentDestinations:
    """The destinations that are deployed, read once for each set; those of a folder before the first one.

    Safe for threads.
    """

    def __init__(self, rules_dir: Path) -> None:
        """`rules_dir`: where they are before the first set is deployed."""
        self._dir = rules_dir
        self._lock = Lock()
        self._digest: str | None = None
        self._found: Mapping[str, AnyDestination] = {}

    def get(self, connection: sa.Connection) -> Mapping[str, AnyDestination]:
        """Return them by name, without those that have a mistake: the delivery process tells of it.

        Raises `UnfitFilesError`, OSError.
        """
        with self._lock:
            digest = store.active_digest(connection)
            if digest is None:
                return load_destinations(self._dir).by_name
            if digest != self._digest:
                with stored(connection, digest, BELOW) as folder:
                    self._found = load_destinations(folder).by_name
                self._digest = digest
            return self._found
