"""Linking a whole population that is not linked yet, in memory: the first load of a consortium."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from consortium.identity import groups
from consortium.identity.batch.candidates import Blocks
from consortium.identity.batch.scoring import Known, judged
from consortium.identity.matching import Comparable, Model, blocks
from consortium.identity.matching.blocking import hashed
from consortium.identity.model import SourcePatient
from consortium.identity.pairs import Edge, Suspect, Verdicts, prepared


@dataclass(frozen=True, slots=True)
class Linked:
    """Who is who, and which pairs a person should look at."""

    groups: tuple[tuple[SourcePatient, ...], ...]
    edges: tuple[Edge, ...]
    suspects: tuple[Suspect, ...]
    """Between two groups."""
    candidates: int
    """Pairs that were compared."""


def link(patients: Sequence[SourcePatient], model: Model, processes: int = 1) -> Linked:
    """Link source patients of whom nobody has decided anything, and no number is retired."""
    compared = {patient.id: prepared(patient) for patient in patients}
    known = Known({patient.id: patient for patient in patients}, compared, model)
    edges: list[Edge] = []
    suspects: list[Suspect] = []
    with tempfile.TemporaryDirectory(prefix="yilian-link-") as folder, Blocks(Path(folder)) as index:
        index.add((hashed(key), id_) for id_, one in compared.items() for key in _keys(one))
        chunks = list(index.pairs(model.block_limit))
    for found in judged(known, chunks, processes):
        edges += found.edges
        suspects += found.suspects
    grouped = groups.unite(patients, edges, Verdicts())
    room = {member.id: place for place, group in enumerate(grouped.groups) for member in group}
    between = tuple(s for s in suspects if room[s.pair[0]] != room[s.pair[1]])
    return Linked(grouped.groups, tuple(edges), between, sum(len(left) for left, _ in chunks))


def _keys(one: Comparable) -> set[str]:
    return blocks(one) | ({f"card:{one.card}"} if one.card is not None else set())
