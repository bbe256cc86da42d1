"""Linking anew what is stored: every pair of two persons that stands in one block, by the model in force.

The pairs are judged without a lock; those that ought to be linked or looked at are then considered again by
the census, which locks, knows what people decided, and writes links, ledger and reviews. So it may be stopped
and started again at any time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from consortium.identity import store
from consortium.identity.batch.candidates import Blocks
from consortium.identity.batch.scoring import Chunk, Known, judged
from consortium.identity.cause import Cause
from consortium.identity.census import Census
from consortium.identity.matching import Model
from consortium.identity.pairs import prepared
from consortium.identity.settling import begun_again

_KEYS = """
SELECT key, source_patient_id FROM identity.block
UNION ALL SELECT hashtextextended(card, 1), id FROM identity.source_patient WHERE card IS NOT NULL
"""
_PERSONS = "SELECT source_patient_id, uuid_hash_extended(person_id, 0) FROM identity.link"
_TOGETHER = 50
"""Source patients considered in one transaction."""


@dataclass(slots=True)
class Counts:
    """What a pass over the stored population did."""

    compared: int = 0
    """Pairs of two persons."""
    automatic: int = 0
    """Pairs that the model links."""
    review: int = 0
    """Pairs that a person should look at."""
    moved: int = 0
    """Links that moved."""


def link_stored(url: str, model: Model, memory: str = "2GB") -> Counts:
    """Link what is stored anew. `url`: the platform's PostgreSQL; `memory`: what the index may take."""
    counts = Counts()
    with engine(url) as database:
        _link(database, model, memory, counts)
    return counts


@contextmanager
def engine(url: str) -> Iterator[sa.Engine]:
    """Open the platform's database for the time of the block; parameters stay out of errors."""
    made = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), hide_parameters=True)
    try:
        yield made
    finally:
        made.dispose()


def _link(engine: sa.Engine, model: Model, memory: str, counts: Counts) -> None:
    with tempfile.TemporaryDirectory(prefix="yilian-link-") as folder, Blocks(Path(folder), memory) as index:
        with engine.connect() as connection:
            index.add(_rows(connection, _KEYS))
            index.already(_rows(connection, _PERSONS))
        _consider(engine, model, index.without(), counts)  # stored before there were blocks
        for chunk in index.pairs(model.block_limit):
            _consider(engine, model, sorted(_worth_it(engine, model, chunk, counts)), counts)


def _rows(connection: sa.Connection, statement: str) -> Iterator[tuple[int, int]]:
    streamed = connection.execution_options(stream_results=True, yield_per=50_000)
    yield from map(tuple, streamed.exec_driver_sql(statement))


def _worth_it(engine: sa.Engine, model: Model, chunk: Chunk, counts: Counts) -> set[int]:
    """Return one side of each pair of a chunk that is more than nothing."""
    ids = {id_ for side in chunk for id_ in side.tolist()}
    with engine.connect() as connection:
        patients = {p.id: p for p in store.as_they_are(connection, sorted(ids))}
    known = Known(patients, {id_: prepared(p) for id_, p in patients.items()}, model)
    (found,) = judged(known, [chunk], processes=1)
    counts.compared += len(chunk[0])
    counts.automatic += len(found.edges)
    counts.review += len(found.suspects)
    return {edge.pair[0] for edge in found.edges} | {suspect.pair[0] for suspect in found.suspects}


def _consider(engine: sa.Engine, model: Model, ids: list[int], counts: Counts) -> None:
    for first in range(0, len(ids), _TOGETHER):
        counts.moved += begun_again(engine, partial(_linked_anew, model, ids[first : first + _TOGETHER]))


def _linked_anew(model: Model, ids: list[int], connection: sa.Connection) -> int:
    """Link some anew; returns how many moved."""
    census = Census(connection, [], reconsider=ids, model=model)
    census.reconsider(Cause(datetime.now(UTC), reason=f"linked anew by model {model.version}"))
    return census.finish().get("link", 0)
