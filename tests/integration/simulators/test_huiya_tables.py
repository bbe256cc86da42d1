from collections import Counter
from datetime import date

import psycopg
import pytest
from psycopg import sql

from simulators.huiya.day import day
from simulators.huiya.tables import KEYS, play, prepare
from tests.conftest import database

NUMERIC = {"amount", "quantity"}
TODAY = date(2026, 11, 20)


@pytest.fixture
def huiya_url(postgres_url):
    with database(postgres_url) as url:
        yield url


def contents(url):
    with psycopg.connect(url) as connection:
        return {
            table: sorted(
                connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))).fetchall()
            )
            for table in KEYS
        }


def play_all(url, scale=1.0, today=TODAY):
    edits = day(7, today, scale)
    return [play(url, edits, today, scale, phase) for phase in (0, 1, 2)]


def test_the_day_ends_as_its_edits_say(huiya_url):
    edits = day(7, TODAY)
    prepare(huiya_url)
    assert sum(play_all(huiya_url)) == len(edits)
    expected = Counter(e.table for e in edits if e.phase == 0)
    expected.subtract(e.table for e in edits if e.row is None)
    assert {table: len(rows) for table, rows in contents(huiya_url).items()} == dict(expected)
    with psycopg.connect(huiya_url) as connection:
        for edit in edits:
            last = [e for e in edits if (e.table, e.key) == (edit.table, edit.key)][-1]
            if last.row is None:
                continue
            query = sql.SQL("SELECT row_to_json(t), updated_at FROM {} t WHERE {} = %s").format(
                sql.Identifier(edit.table), sql.Identifier(KEYS[edit.table])
            )
            row = connection.execute(query, (edit.key,)).fetchone()
            assert row is not None
            found, updated_at = row
            assert updated_at == last.updated_at
            assert {k: str(found[k]) for k in last.row if k not in NUMERIC} == {
                k: str(v) for k, v in last.row.items() if k not in NUMERIC
            }


def test_the_same_day_twice_changes_nothing(huiya_url):
    prepare(huiya_url)
    play_all(huiya_url)
    before = contents(huiya_url)
    prepare(huiya_url)
    assert play_all(huiya_url) == [0, 0, 0]
    assert contents(huiya_url) == before


def test_a_greater_scale_of_the_same_day_adds_and_rewrites_nothing(huiya_url):
    prepare(huiya_url)
    play_all(huiya_url)
    before = contents(huiya_url)
    play_all(huiya_url, scale=2.0)
    after = contents(huiya_url)
    for table, rows in before.items():
        assert set(rows) <= set(after[table])


def test_an_earlier_day_never_sets_a_row_back(huiya_url):
    prepare(huiya_url)
    play_all(huiya_url)
    demo = contents(huiya_url)["patient"]
    play_all(huiya_url, today=date(2026, 11, 19))
    assert [row for row in contents(huiya_url)["patient"] if row[0] == "9000001"] == [
        row for row in demo if row[0] == "9000001"
    ]
