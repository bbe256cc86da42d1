"""Identities that are loaded straight into the tables stand there as if they had been registered."""

from __future__ import annotations

import psycopg
import sqlalchemy as sa

from bench import identity_load
from bench.identity_online import later, register

SHAPE = """
SELECT string_agg(indexdef, E'\n' ORDER BY indexdef) FROM pg_indexes WHERE schemaname = 'identity'
UNION ALL
SELECT string_agg(pg_get_constraintdef(oid), E'\n' ORDER BY conrelid::regclass::text, conname)
  FROM pg_constraint WHERE connamespace = 'identity'::regnamespace
"""
COUNTS = """
SELECT (SELECT count(*) FROM identity.source_patient), (SELECT count(*) FROM identity.link),
       (SELECT count(*) FROM identity.ledger), (SELECT count(*) FROM identity.person),
       (SELECT count(DISTINCT person_id) FROM identity.link), (SELECT count(*) > 4000 FROM identity.block)
"""


def ask(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_who_is_known_is_found_again_and_the_tables_are_as_before(database_url: str) -> None:
    before = ask(database_url, SHAPE)
    back = identity_load.load(database_url, seed=5, count=1_001, withheld=20)
    assert ask(database_url, SHAPE) == before
    [(numbers, links, moves, persons, people, blocked)] = ask(database_url, COUNTS)
    assert (numbers, links, moves, blocked) == (1_001, 1_001, 1_001, True)
    assert persons == people
    engine = sa.create_engine(sa.make_url(database_url).set(drivername="postgresql+psycopg"))
    try:
        register(engine, later(back, 40))
    finally:
        engine.dispose()
    linked = "SELECT count(*) FROM identity.link WHERE model_version IS NOT NULL OR rule = 'id_card'"
    [(found,)] = ask(database_url, linked)
    assert isinstance(found, int)
    assert found >= 14, "most of the twenty are known again"
