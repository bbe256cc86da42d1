"""What the links of some source patients may depend on: whom else to lock and load."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from consortium.identity.model import SourcePatient, own_person


@dataclass(frozen=True, slots=True)
class Reach:
    """Everybody who shows those cards, is or was one of those people, has one of those ids, or was merged
    into one.
    """

    cards: frozenset[str] = frozenset()
    people: frozenset[UUID] = frozenset()
    ids: frozenset[int] = frozenset()

    @staticmethod
    def of(patients: Iterable[SourcePatient]) -> Reach:
        """Return what some depend on. Of their ids those alone that others are merged into: who was loaded by
        card or person need not be loaded again.
        """
        found = list(patients)
        linked = {p.link.person_id for p in found if p.link is not None}
        merged = {p.merged_into for p in found if p.merged_into is not None}
        return Reach(
            frozenset(p.observed.card for p in found if p.observed.card is not None),
            frozenset(linked | {own_person(p.facility, p.number) for p in found}),
            frozenset(merged | {p.id for p in found if p.survivor}),
        )

    def __or__(self, other: Reach) -> Reach:
        """Return both together."""
        return Reach(self.cards | other.cards, self.people | other.people, self.ids | other.ids)

    @property
    def locks(self) -> set[tuple[str, ...]]:
        """The names of the locks that are held while links of those are decided."""
        return {("card", card) for card in self.cards} | {("person", str(one)) for one in self.people}
