"""The templates that are deployed, and the names that texts show, as they are at the moment of sending."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from uuid import UUID

import sqlalchemy as sa

from bus.rules.versions import store
from bus.rules.versions.deciding import stored
from consortium.notifications import contacts, reading
from consortium.notifications.rendering import ZONE
from consortium.notifications.templates import Book
from consortium.terminology import store as master_data
from consortium.terminology.model import GROUP, Kind
from runtime.campuses import Campus

BELOW = (f"{reading.FOLDER}/",)


class CurrentBook:
    """The templates of the deployed rule set, read once for each; safe for threads.

    Before the first set is deployed, and where the set is of before notifications were files, they are those
    of the rules folder.
    """

    def __init__(self, rules_dir: Path, links: Sequence[str] = ()) -> None:
        """`links`: beginnings of our own addresses, which a link may have beside those of the policy."""
        self._dir = rules_dir
        self._links = tuple(links)
        self._lock = Lock()
        self._digest: str | None = None
        self._book: Book | None = None

    def get(self, connection: sa.Connection) -> Book:
        """Return them. Raises TemplatesError, `UnfitFilesError`, OSError."""
        with self._lock:
            digest = store.active_digest(connection)
            if digest is None:
                return self._read(self._dir)
            if self._book is None or digest != self._digest:
                with stored(connection, digest, BELOW) as folder:
                    known = folder if reading.has_templates(folder) else self._dir
                    self._book, self._digest = self._read(known), digest
            return self._book

    def _read(self, folder: Path) -> Book:
        book = reading.load(folder)
        links = (*book.policy.links, *self._links)
        return replace(book, policy=book.policy.model_copy(update={"links": links}))


@dataclass(frozen=True, slots=True)
class StoredNames:
    """`consortium.notifications.rendering.Names` from the database and the campuses."""

    connection: sa.Connection
    campuses: Callable[[], Sequence[Campus]]

    def campus(self, code: str, language: str) -> str | None:
        """Return the name of a campus."""
        one = next((campus for campus in self.campuses() if campus.code == code), None)
        if one is None:
            return None
        return (one.english or one.name) if language == "en" else one.name

    def department(self, facility: str, code: str) -> str | None:
        """Return the name of a department that is in force today: the campus's, else the consortium's."""
        today = datetime.now(UTC).astimezone(ZONE).date()
        for owner in (facility, GROUP):
            found = master_data.on(self.connection, Kind.DEPARTMENT, today, owner=owner, code=code)
            if found:
                return found[0].entry.name
        return None

    def person(self, id_: UUID) -> str | None:
        """Return the name of whoever a golden person is now."""
        row = contacts.current(self.connection, id_)
        return None if row is None else row["name"]
