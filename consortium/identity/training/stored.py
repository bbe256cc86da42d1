"""Training on the source patients that are stored: a sample of whole people, read without a lock."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from consortium.identity import store
from consortium.identity.batch.stored import engine
from consortium.identity.matching import Comparable, Model, dump
from consortium.identity.pairs import prepared
from consortium.identity.training.differences import differences
from consortium.identity.training.model import Training, train

_TOTAL = "SELECT count(*) FROM identity.source_patient WHERE merged_into IS NULL"
_PARTS = 1 << 20
_SAMPLE = """
SELECT l.source_patient_id FROM identity.link l JOIN identity.source_patient s ON s.id = l.source_patient_id
 WHERE s.merged_into IS NULL AND uuid_hash_extended(l.person_id, %(seed)s) & %(mask)s < %(below)s
 ORDER BY l.source_patient_id
"""
_LOADED = 5_000
"""Source patients that are loaded together."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A model that was trained, as files."""

    version: str
    model: str
    """Path of the model: put it in the place of `rules/identity/model.json` to bring it into force."""
    report: str
    """Path of what it would change."""
    sample: int
    """Source patients that it was trained on."""
    population: int
    """Source patients that there are."""
    moved: dict[str, int]
    """Pairs of the sample that it judges otherwise than the model in force."""


def train_stored(url: str, active: Model, folder: Path, size: int, how: Training) -> Trained:
    """Train a model on about `size` stored source patients; writes it and what it would change to a folder.
    `url` is the platform's PostgreSQL.

    People are in the sample with all their numbers: pairs of one person would be rare in a sample of numbers.

    Raises:
        SampleError: too few source patients to train on.
        OSError: the folder cannot be written.
    """
    version = f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}"
    with engine(url) as database, database.connect() as connection:
        population = connection.exec_driver_sql(_TOTAL).scalar_one()
        sample = list(_sample(connection, population, size, how.seed))
    model = train(sample, active, version, how, population)
    changed = differences(sample, active, model)
    folder.mkdir(parents=True, exist_ok=True)
    path, report = folder / f"model-{version}.json", folder / f"model-{version}.report.json"
    dump(model, path)
    _write(report, changed.line() | {"sample": len(sample), "population": population})
    return Trained(version, str(path), str(report), len(sample), population, dict(changed.moved))


def _sample(connection: sa.Connection, population: int, size: int, seed: int) -> Iterator[Comparable]:
    below = min(_PARTS, size * _PARTS // max(population, 1))
    values = {"seed": seed, "mask": _PARTS - 1, "below": below}
    ids = list(connection.exec_driver_sql(_SAMPLE, values).scalars())
    for first in range(0, len(ids), _LOADED):
        yield from map(prepared, store.as_they_are(connection, ids[first : first + _LOADED]))


def _write(path: Path, content: dict[str, Any]) -> None:
    written = path.with_suffix(".new")
    written.write_text(json.dumps(content, ensure_ascii=False, indent=1) + os.linesep, encoding="utf-8")
    written.replace(path)
