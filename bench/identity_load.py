"""Loading millions of identities straight into the tables, as they would stand after linking.

Each process makes its own households and copies them, a few thousand numbers at a time, into tables whose
indexes and constraints were taken off; afterwards they are made again as the migrations wrote them.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from bench.identity import facts_of
from consortium.identity import decide
from consortium.identity.matching import blocks
from consortium.identity.matching.blocking import hashed
from consortium.identity.model import SourcePatient, own_person
from consortium.identity.pairs import prepared
from simulators.population.records import Record, population

NOW = datetime(2026, 11, 2, tzinfo=UTC)
_TOGETHER = 5_000
_APART = 10_000_000
"""Households between the first of one process and the first of the next."""
_IDS = 1_000_000_000
"""Source patients likewise."""

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "source_patient": (
        "id", "facility", "number", "name", "sex", "birth_date", "id_card", "phone", "address", "card",
        "name_key", "evidence", "version", "message_id", "changed_at",
    ),
    "person": ("id", "name", "sex", "birth_date", "id_card", "phone", "address", "active", "changed_at"),
    "link": ("source_patient_id", "person_id", "origin", "rule", "rule_version", "at", "message_id"),
    "ledger": ("source_patient_id", "to_person", "origin", "rule", "rule_version", "at", "message_id"),
    "block": ("key", "source_patient_id"),
}  # fmt: skip
_CONSTRAINTS = """
SELECT c.conrelid::regclass::text, quote_ident(c.conname), pg_get_constraintdef(c.oid)
  FROM pg_constraint c WHERE c.conrelid = ANY(%s::regclass[]) AND c.contype IN ('p', 'u', 'f')
 ORDER BY c.contype = 'f' DESC
"""
_INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
 WHERE indrelid = ANY(%s::regclass[]) AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""
_NEXT = "SELECT setval('identity.source_patient_id', max(id)) FROM identity.source_patient"
_POINTING = "SELECT conrelid::regclass::text FROM pg_constraint WHERE confrelid = ANY(%s::regclass[])"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one process loads."""

    seed: int
    place: int
    count: int
    withheld: int
    """How many more of people who are there are kept back, to be registered."""


def load(url: str, seed: int, count: int, withheld: int, processes: int = 2) -> list[Record]:
    """Load `count` numbers; return `withheld` further ones of people who are there."""
    share = -(-count // processes)
    parts = [
        Wanted(seed, place, min(share, count - share * place), -(-withheld // processes))
        for place in range(processes)
    ]
    with _bare(url), multiprocessing.get_context("spawn").Pool(processes) as pool:
        back = [record for records in pool.map(partial(_part, url), parts) for record in records]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_NEXT)
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
    return back[:withheld]


@contextmanager
def _bare(url: str) -> Iterator[None]:
    """Take indexes and constraints off the tables for the time of the block."""
    tables = [f"identity.{name}" for name in _COLUMNS]
    with psycopg.connect(url, autocommit=True) as connection:
        pointing = {row[0] for row in connection.execute(_POINTING, (tables,))}
        constraints = connection.execute(_CONSTRAINTS, ([*{*tables, *pointing}],)).fetchall()
        constraints = [c for c in constraints if c[0] in tables or c[2].startswith("FOREIGN KEY")]
        indexes = connection.execute(_INDEXES, (tables,)).fetchall()
        for table, name, _ in constraints:
            connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}".encode())
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}".encode())
    yield
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET maintenance_work_mem = '1GB'")
        for table, name, definition in reversed(constraints):
            connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}".encode())
        for _, definition in indexes:
            connection.execute(definition.encode())


def _part(url: str, wanted: Wanted) -> list[Record]:
    made = _Rows(wanted)
    back: list[Record] = []
    with psycopg.connect(url) as connection:
        connection.execute("SET synchronous_commit = off")
        people = population(wanted.seed, wanted.count, wanted.place * _APART)
        while made.count < wanted.count:
            rows: dict[str, list[str]] = {table: [] for table in _COLUMNS}
            for record in islice(people, min(_TOGETHER, wanted.count - made.count)):
                if made.known(record) and len(back) < wanted.withheld * made.count // wanted.count:
                    back.append(record)
                else:
                    made.add(record, rows)
            for table, lines in rows.items():
                _copy(connection, table, lines)
            connection.commit()
    return back


def _copy(connection: psycopg.Connection[Any], table: str, lines: Sequence[str]) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, _COLUMNS[table]))
    statement = sql.SQL("COPY identity.{} ({}) FROM STDIN").format(sql.Identifier(table), columns)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write("".join(lines))


class _Rows:
    """Makes the rows of one process."""

    def __init__(self, wanted: Wanted) -> None:
        """Begin at the process's first id."""
        self.count = 0
        self._first = wanted.place * _IDS + 1
        self._person: tuple[int, UUID] | None = None

    def known(self, record: Record) -> bool:
        """Whether the record is of the person who was added last."""
        return self._person is not None and self._person[0] == record.person

    def add(self, record: Record, rows: dict[str, list[str]]) -> None:
        """Add the rows of a record; those of one person follow each other."""
        facts = facts_of(record)
        observed = decide.observe(facts)
        id_ = self._first + self.count
        new = not self.known(record)
        if self._person is None or new:
            self._person = (record.person, own_person(record.facility, record.number))
        person = self._person[1]
        said = (facts.name, facts.sex, facts.birth_date, facts.id_card, facts.phone, facts.address)
        evidence = "{" + ",".join(observed.evidence) + "}"
        rows["source_patient"].append(
            _line(
                id_, record.facility, record.number, *said,
                observed.card, observed.name_key, evidence, 1, 0, NOW,
            )
        )  # fmt: skip
        if new:
            rows["person"].append(_line(person, *said, "t", NOW))
        linked = _line(id_, person, "automatic", "own_number" if new else "probable", 1, NOW, 0)
        rows["link"].append(linked)
        rows["ledger"].append(linked)
        patient = SourcePatient(id_, record.facility, record.number, 0, NOW, facts, observed)
        keys = {hashed(key) for key in blocks(prepared(patient))}
        rows["block"] += [f"{key}\t{id_}\n" for key in keys]
        self.count += 1


def _line(*values: object) -> str:
    return "\t".join(r"\N" if value is None else _text(str(value)) for value in values) + "\n"


def _text(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
