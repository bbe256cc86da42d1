"""Migration 0042 is taken back without the rooms of video, and made again."""

from __future__ import annotations

import psycopg

from tests.integration.migrations import alembic, taken_back

REVISION = "0042_teleconsult"


def test_taking_it_back_leaves_the_rooms_and_it_is_made_again(postgres_url: str) -> None:
    with taken_back(postgres_url, REVISION) as url:
        with psycopg.connect(url) as db:
            query = "SELECT to_regclass(%s)::text, to_regclass(%s)::text"
            found = db.execute(query, ("teleconsult.consultation", "teleconsult.session"))
            assert found.fetchone() == (None, "teleconsult.session")
        alembic(url, "upgrade", REVISION)
