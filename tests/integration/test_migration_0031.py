"""The indexes of records by patient are made anew, and what is there is found as before; and back."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.integration.bus.clinic import rows
from tests.integration.migrations import alembic, taken_back

REVISION, BEFORE = "0031_records_layout", "0031_records_layout-1"
RESULTS = """
INSERT INTO records.result (id, patient_id, facility, report_id, category, rank, status, item_code, value, at,
                            deleted, version, message_id, changed_at)
SELECT gen_random_uuid(), n % 5, 'MAIN', gen_random_uuid(), 'lab', 0, 'final', 'K', n::text,
       timestamptz '2026-11-25' + n / 20 * interval '1 hour', false, 1, n, now()
  FROM generate_series(0, 199) AS n
"""
NEWEST = "SELECT value FROM records.result WHERE patient_id = 3 ORDER BY at DESC, id LIMIT 12"
INDEXED = """
SELECT DISTINCT substring(indexdef FROM '\\((.*)\\)') FROM pg_indexes
 WHERE schemaname = 'records' AND indexdef LIKE '%%(patient_id, at DESC%%' ORDER BY 1
"""
COUNT = (
    "SELECT count(*), count(*) FILTER (WHERE indisvalid) FROM pg_index JOIN pg_class c ON c.oid = indrelid"
)
FILLED = """
SELECT DISTINCT regexp_replace(relname, '_\\d$', '')
  FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
 WHERE nspname = 'records' AND 'fillfactor=100' = ANY(reloptions) ORDER BY 1
"""


@pytest.fixture
def old_url(postgres_url: str) -> Iterator[str]:
    with taken_back(postgres_url, REVISION) as url:
        yield url


def test_records_are_found_in_the_same_order_under_either_layout(old_url: str) -> None:
    with psycopg.connect(old_url) as connection:
        connection.execute(RESULTS)
    before, valid = rows(old_url, NEWEST), rows(old_url, COUNT)
    assert rows(old_url, INDEXED) == [("patient_id, at DESC, id",)]
    alembic(old_url, "upgrade", REVISION)
    assert rows(old_url, NEWEST) == before
    assert rows(old_url, INDEXED) == [("patient_id, at DESC",)]
    assert rows(old_url, FILLED) == [("charge",), ("diagnosis",), ("result",)]
    assert rows(old_url, COUNT) == valid
    alembic(old_url, "downgrade", BEFORE)
    assert (rows(old_url, NEWEST), rows(old_url, INDEXED)) == (before, [("patient_id, at DESC, id",)])
    assert rows(old_url, FILLED) == []
    alembic(old_url, "upgrade", REVISION)
