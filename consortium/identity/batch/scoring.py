"""Judging many pairs, on several processors."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from consortium.identity.batch.candidates import Longs
from consortium.identity.matching import Comparable, Model
from consortium.identity.matching.judging import judge
from consortium.identity.model import SourcePatient
from consortium.identity.pairs import Edge, Pairs, Suspect, agree

Chunk = tuple[Longs, Longs]
"""Ids of the left and the right of some pairs."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is needed to judge pairs of some source patients."""

    patients: Mapping[int, SourcePatient]
    compared: Mapping[int, Comparable]
    model: Model


_known: Known | None = None
"""What a forked process works on: inherited, never copied."""


def judged(known: Known, chunks: Iterable[Chunk], processes: int) -> Iterator[Pairs]:
    """Give what there is between the pairs of each chunk, in their order."""
    if processes <= 1:
        yield from (_judge(known, chunk) for chunk in chunks)
        return
    global _known
    _known = known
    gc.freeze()  # else the collector writes to every object, and each process gets its own copy of all
    try:
        with multiprocessing.get_context("fork").Pool(processes) as pool:
            yield from pool.imap(_forked, chunks)
    finally:
        gc.unfreeze()
        _known = None


def _forked(chunk: Chunk) -> Pairs:
    if _known is None:
        raise RuntimeError("this process was not forked by `judged`")
    return _judge(_known, chunk)


def _judge(known: Known, chunk: Chunk) -> Pairs:
    found = Pairs()
    patients, compared, model = known.patients, known.compared, known.model
    for left, right in zip(chunk[0].tolist(), chunk[1].tolist(), strict=True):
        if agree(patients[left], patients[right]):
            found.edges.append(Edge((left, right), "id_card"))
            continue
        judgement = judge(compared[left], compared[right], model)
        if judgement.band == "automatic":
            found.edges.append(Edge((left, right), "probable", judgement.weighed))
        elif judgement.band == "review":
            found.suspects.append(Suspect((left, right), judgement.reason, judgement.weighed))
    return found
