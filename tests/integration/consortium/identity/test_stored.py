"""A stored population trained on and linked anew, on a real PostgreSQL."""

from __future__ import annotations

import json
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations, islice
from pathlib import Path

import pytest
import sqlalchemy as sa

from consortium.identity.batch.stored import link_stored
from consortium.identity.census import Census, Statement
from consortium.identity.matching import active, load
from consortium.identity.training.model import Training
from consortium.identity.training.stored import train_stored
from consortium.records.model import Patient, Provenance
from simulators.population.records import Record, population

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
BLIND = replace(active(), version="blind", automatic=1000.0, review=999.0)
"""A model that finds nobody alike: what only cards link."""


@pytest.fixture
def records(engine: sa.Engine) -> Sequence[Record]:
    """Six hundred records, registered by the blind model."""
    records = list(islice(population(21, 600), 600))
    statements = [
        Statement(
            Patient(
                number=r.number, name=r.name, sex=r.sex, birth_date=r.birth_date,
                id_card=r.id_card, phone=r.phone, address=r.address,
            ),
            Provenance(message_id=place + 1, facility=r.facility, received_at=NOW),
        )
        for place, r in enumerate(records)
    ]  # fmt: skip
    with engine.begin() as connection:
        census = Census(connection, statements, model=BLIND)
        for statement in statements:
            census.take(statement)
        census.finish()
    return records


def _url(engine: sa.Engine) -> str:
    return engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def _people(engine: sa.Engine, records: Sequence[Record]) -> tuple[int, int]:
    """Return how many pairs of one person stand together, and how many of two people."""
    truth = {(r.facility, r.number): r.person for r in records}
    groups: dict[object, list[int]] = defaultdict(list)
    with engine.connect() as connection:
        for facility, number, person in connection.exec_driver_sql(
            "SELECT facility, number, person_id FROM identity.link"
            " JOIN identity.source_patient s ON s.id = source_patient_id"
        ):
            groups[person].append(truth[facility, number])
    pairs = [one == other for group in groups.values() for one, other in combinations(group, 2)]
    return sum(pairs), len(pairs) - sum(pairs)


def test_what_is_stored_is_linked_anew_once(engine: sa.Engine, records: Sequence[Record]) -> None:
    right, wrong = _people(engine, records)
    counts = link_stored(_url(engine), active())
    right_after, wrong_after = _people(engine, records)
    assert (wrong, wrong_after) == (0, 0)
    assert right_after > right
    assert counts.moved > 0
    with engine.connect() as connection:
        reviews = connection.exec_driver_sql("SELECT count(*) FROM identity.review").scalar_one()
        why = connection.exec_driver_sql(
            "SELECT DISTINCT reason FROM identity.ledger WHERE reason IS NOT NULL"
        )
        assert why.scalars().all() == [f"linked anew by model {active().version}"]

    again = link_stored(_url(engine), active())
    assert again.moved == 0
    assert _people(engine, records) == (right_after, 0)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM identity.review").scalar_one() == reviews


def test_a_model_is_trained_on_what_is_stored_and_changes_nothing_yet(
    engine: sa.Engine, records: Sequence[Record], tmp_path: Path
) -> None:
    before = _people(engine, records)
    with warnings.catch_warnings():  # Splink's and DuckDB's own
        warnings.simplefilter("ignore")
        trained = train_stored(
            _url(engine), active(), tmp_path / "identity", 10_000, Training(20_000, 20_000)
        )
    model = load(Path(trained.model))
    assert (model.version, trained.sample, trained.population) == (trained.version, 600, 600)
    assert model.fields["name"]["exact"].m > 0.8
    assert model.fields["birth_date"]["exact"].u < 0.01
    report = json.loads(Path(trained.report).read_text(encoding="utf-8"))
    assert (report["before"], report["after"]) == (active().version, model.version)
    assert report["compared"] > 0
    assert _people(engine, records) == before
