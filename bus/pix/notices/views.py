"""What a destination sees of a person, and what it was told of that last."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from consortium.identity.search import person as known

_TOLD = sa.text(
    "SELECT source_patient_id, view FROM identity.told"
    " WHERE destination = :destination AND source_patient_id = ANY(:ids)"
)
_REMEMBER = sa.text(
    "INSERT INTO identity.told (destination, source_patient_id, view)"
    " SELECT :destination, unnest(CAST(:ids AS bigint[])), :view"
    " ON CONFLICT (destination, source_patient_id) DO UPDATE SET view = excluded.view"
)


@dataclass(frozen=True, slots=True)
class View:
    """The numbers in use that a destination sees as one person's."""

    person: UUID
    members: tuple[tuple[int, str, str], ...]
    """Source patient, campus, number."""
    with_person: bool
    """Whether it is told the consortium's id, too."""

    @property
    def crosses(self) -> bool:
        """Whether it says that two identifiers are one person's."""
        return len(self.members) + self.with_person > 1

    @property
    def digest(self) -> bytes:
        """A hash of what it says."""
        parts = [f"{facility}\x1f{number}" for _, facility, number in self.members]
        parts += [str(self.person)] if self.with_person else []
        return hashlib.sha256("\x1e".join(parts).encode()).digest()


def view(connection: sa.Connection, person: UUID, facilities: Collection[str], *, with_person: bool) -> View:
    """Return what is committed of a person now."""
    row = known(connection, person)
    numbers = [] if row is None else row["identifiers"]
    members = tuple(
        (one["source_patient_id"], one["facility"], one["number"])
        for one in numbers
        if one["active"] and one["facility"] in facilities
    )
    return View(person, members, with_person)


def news(connection: sa.Connection, destination: str, seen: View, *, parted: bool) -> bool:
    """Whether a destination was not told this. A number that stands alone is news where it was told as
    another's, or where `parted`: somebody left it just now.
    """
    if not seen.members:
        return False
    ids = [id_ for id_, _, _ in seen.members]
    told = connection.execute(_TOLD, {"destination": destination, "ids": ids})
    known = {row.source_patient_id: bytes(row.view) for row in told}
    if not known and not seen.crosses and not parted:
        return False
    return any(known.get(id_) != seen.digest for id_ in ids)


def remember(connection: sa.Connection, destination: str, seen: View) -> None:
    """Keep that a destination is told this."""
    ids: Sequence[int] = [id_ for id_, _, _ in seen.members]
    connection.execute(_REMEMBER, {"destination": destination, "ids": ids, "view": seen.digest})
