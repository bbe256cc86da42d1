"""Candidates: who else stands in the blocks of some source patients, and how alike they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import sqlalchemy as sa

from consortium.identity import blocks, store
from consortium.identity.blocks import Found
from consortium.identity.matching import Model
from consortium.identity.matching.screening import Glance, Screen
from consortium.identity.model import SourcePatient
from consortium.identity.pairs import Pairs, Suspect, keys, prepared, weigh_pair
from consortium.identity.pipeline import Answer, Question
from consortium.identity.store import Number


class Neighbours:
    """The candidates of one pass."""

    def __init__(self, connection: sa.Connection, model: Model) -> None:
        """Nobody yet."""
        self._connection = connection
        self._model = model
        self._by_key: dict[str, list[SourcePatient]] = {}
        self.alike: Sequence[SourcePatient] = ()
        """Who is one person with some of the patients, as they are without a lock."""
        self.searched: set[Number] = set()
        """Whose blocks were searched."""
        self.crowded: frozenset[str] = frozenset()
        """Keys of blocks that hold more than the model's limit."""

    @property
    def persons(self) -> Mapping[int, UUID]:
        """Who the candidates are now."""
        found = (p for room in self._by_key.values() for p in room)
        return {p.id: p.link.person_id for p in found if p.link is not None}

    def question(self, patients: Sequence[SourcePatient]) -> Question:
        """Ask who stands in the blocks of some patients."""
        return blocks.glance(_keys(patients), self._model.block_limit)

    def answered(
        self, patients: Sequence[SourcePatient], loaded: Sequence[SourcePatient], answer: Answer
    ) -> None:
        """Take the answer, and weigh those that are worth it; some are loaded already."""
        self._search(patients, {p.id: p for p in loaded}, answer)
        pairs = Pairs()
        for patient in patients:
            self._weigh(patient, self._candidates(patient), pairs)
        found = {p.id: p for room in self._by_key.values() for p in room}
        ids = {id_ for edge in pairs.edges for id_ in edge.pair} - {p.id for p in patients}
        self.alike = tuple(found[id_] for id_ in sorted(ids))

    def suspects(self, patients: Sequence[SourcePatient], loaded: Collection[int]) -> list[Suspect]:
        """Return the pairs of a patient and a candidate beyond those loaded that a person should look at."""
        pairs = Pairs()
        for patient in patients:
            beyond = [c for c in self._candidates(patient) if c.id not in loaded]
            self._weigh(patient, beyond, pairs)
        late = [Suspect(e.pair, "probable", e.weighed) for e in pairs.edges if e.weighed is not None]
        return pairs.suspects + late

    def _search(
        self, patients: Sequence[SourcePatient], loaded: Mapping[int, SourcePatient], answer: Answer
    ) -> None:
        self.searched = {(p.facility, p.number) for p in patients}
        found, glances = blocks.glanced(_keys(patients), self._model.block_limit, answer)
        self.crowded = found.crowded
        here = {id_: loaded[id_] for id_ in found.ids & loaded.keys()}
        worth = self._screened(patients, found, {i: seen for i, seen in glances.items() if i not in here})
        here |= {p.id: p for p in store.as_they_are(self._connection, sorted(worth))}
        self._by_key = {key: [here[id_] for id_ in ids if id_ in here] for key, ids in found.rooms.items()}

    def _screened(
        self, patients: Sequence[SourcePatient], found: Found, glances: Mapping[int, Glance]
    ) -> frozenset[int]:
        """Return who may be more than a namesake to one of the patients."""
        passed: set[int] = set()
        for patient in patients:
            screen = Screen(prepared(patient), self._model)
            near = {id_ for key in keys(patient) for id_ in found.rooms.get(key, ())}
            passed |= {id_ for id_ in near & glances.keys() - passed if screen.passes(glances[id_])}
        return frozenset(passed)

    def _candidates(self, patient: SourcePatient) -> list[SourcePatient]:
        number = patient.facility, patient.number
        near = (c for key in keys(patient) for c in self._by_key.get(key, ()))
        return list({c.id: c for c in near if (c.facility, c.number) != number}.values())

    def _weigh(self, patient: SourcePatient, candidates: Sequence[SourcePatient], into: Pairs) -> None:
        for candidate in candidates:
            weigh_pair(patient, candidate, self._model, into)


def _keys(patients: Sequence[SourcePatient]) -> set[str]:
    return {key for patient in patients for key in keys(patient)}
