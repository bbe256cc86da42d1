"""Imports on a real database: validated, idempotent, versioned, and told to subscribers once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from bus.master_data import outbox
from bus.master_data.imports import import_rows
from consortium.terminology import service, store, subscribers
from consortium.terminology.errors import InvalidFileError
from consortium.terminology.model import Kind
from consortium.terminology.service import Import, Imported
from tests.integration.bus.clinic import engine_of, rows

OWNERS = ("MAIN", "HP", "GROUP")
DEPARTMENTS = """owner,code,name,valid_from,valid_to,type
MAIN,0101,心血管内科,2020-01-01,,clinical
MAIN,0102,呼吸内科,2020-01-01,2025-12-31,clinical
MAIN,0102,呼吸与危重症医学科,2026-01-01,,clinical
HP,N01,内一科,2022-06-01,,
"""
STAFF = "owner,code,name,valid_from,department,role\nMAIN,1001,周明,2020-01-01,{department},doctor\n"


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = engine_of(database_url)
    yield engine
    engine.dispose()


def take_in(
    engine: sa.Engine, text: str = DEPARTMENTS, kind: Kind = Kind.DEPARTMENT, *, dry_run: bool = False
) -> Imported:
    what = Import(kind, f"{kind}.csv", text)
    with engine.begin() as connection:
        return import_rows(connection, what, service.read(what, OWNERS), by="chen", dry_run=dry_run)


def counts(done: Imported) -> tuple[int, int, int, int]:
    return len(done.plan.added), len(done.plan.changed), done.plan.unchanged, len(done.recorded)


def names(engine: sa.Engine, day: date, **filters: Any) -> list[str]:
    with engine.connect() as connection:
        return [one.entry.name for one in store.on(connection, Kind.DEPARTMENT, day, **filters)]


def test_an_import_is_in_force_by_its_days(engine: sa.Engine) -> None:
    assert counts(take_in(engine)) == (4, 0, 0, 4)
    assert names(engine, date(2021, 1, 1)) == ["心血管内科", "呼吸内科"]
    assert names(engine, date(2026, 1, 1)) == ["内一科", "心血管内科", "呼吸与危重症医学科"]
    assert names(engine, date(2026, 1, 1), owner="MAIN", text="呼吸") == ["呼吸与危重症医学科"]
    assert names(engine, date(2026, 1, 1), text="n0") == ["内一科"]
    assert names(engine, date(2026, 1, 1), after=("HP", "N01"), limit=1) == ["心血管内科"]
    assert names(engine, date(2019, 1, 1)) == []


def test_the_same_again_records_nothing_and_a_dry_run_nothing_at_all(
    engine: sa.Engine, database_url: str
) -> None:
    assert counts(take_in(engine, dry_run=True)) == (4, 0, 0, 0)
    assert rows(database_url, "SELECT count(*) FROM terminology.import") == [(0,)]
    take_in(engine)
    assert counts(take_in(engine)) == (0, 0, 4, 0)
    assert rows(database_url, "SELECT count(*) FROM terminology.import") == [(1,)]


def test_two_who_import_the_same_at_once_record_it_once(engine: sa.Engine, database_url: str) -> None:
    with ThreadPoolExecutor(4) as people:
        done = list(people.map(lambda _: counts(take_in(engine)), range(4)))
    assert sorted(done) == [(0, 0, 4, 0)] * 3 + [(4, 0, 0, 4)]
    assert rows(database_url, "SELECT count(*) FROM terminology.entry") == [(4,)]


def test_a_correction_is_the_next_version_and_the_first_is_kept(engine: sa.Engine, database_url: str) -> None:
    take_in(engine)
    done = take_in(engine, DEPARTMENTS.replace("内一科,2022-06-01,,", "内科,2022-06-01,,ward"))
    assert counts(done) == (0, 1, 3, 1)
    with engine.connect() as connection:
        kept = store.history(connection, Kind.DEPARTMENT, "N01", "HP")
        [imported, _] = store.imports(connection, Kind.DEPARTMENT, 10)
    assert [(one.version, one.entry.name, one.recorded_by) for one in kept] == [
        (1, "内一科", "chen"),
        (2, "内科", "chen"),
    ]
    assert (imported["changed"], imported["source"]) == (1, "department.csv")
    assert names(engine, date(2026, 1, 1), owner="HP") == ["内科"]
    refused = pytest.raises(psycopg.errors.RaiseException, match="append-only")
    with psycopg.connect(database_url) as direct, refused:
        direct.execute("DELETE FROM terminology.entry")


def test_an_export_imported_again_changes_nothing(engine: sa.Engine) -> None:
    take_in(engine)
    with engine.connect() as connection:
        text = service.export(connection, Kind.DEPARTMENT)
    assert counts(take_in(engine, text)) == (0, 0, 4, 0)


def test_a_file_with_a_mistake_is_refused_whole(engine: sa.Engine, database_url: str) -> None:
    take_in(engine)
    again = DEPARTMENTS + "MAIN,0103,内分泌科,2020-01-01,,\nMAIN,0102,呼吸科,2025-01-01,,\n"
    with pytest.raises(InvalidFileError, match="line 7, valid_from: 0102 of MAIN holds to"):
        take_in(engine, again)
    assert rows(database_url, "SELECT count(*) FROM terminology.entry") == [(4,)]


def test_staff_work_in_a_department_that_there_is(engine: sa.Engine) -> None:
    take_in(engine)
    with pytest.raises(InvalidFileError, match="line 2, department: there is no department 0999 of MAIN"):
        take_in(engine, STAFF.format(department="0999"), Kind.STAFF)
    assert counts(take_in(engine, STAFF.format(department="0102"), Kind.STAFF)) == (1, 0, 0, 1)


def test_each_change_is_told_to_each_subscriber_once(engine: sa.Engine, database_url: str) -> None:
    with engine.begin() as connection:
        for name, kinds in (
            ("main-his", ["department"]),
            ("hp-emr", ["department", "staff"]),
            ("x", ["bed"]),
        ):
            subscribers.subscribe(connection, name, kinds, "chen")
            subscribers.subscribe(connection, name, kinds, "chen")
    take_in(engine, dry_run=True)
    take_in(engine)
    take_in(engine)
    take_in(engine, DEPARTMENTS.replace("心血管内科", "心内科"))
    told = rows(
        database_url,
        "SELECT destination, array_agg(payload ->> 'name' ORDER BY id) FROM bus.outbox GROUP BY 1 ORDER BY 1",
    )
    all_names = ["心血管内科", "呼吸内科", "呼吸与危重症医学科", "内一科", "心内科"]
    assert told == [("master-data:hp-emr", all_names), ("master-data:main-his", all_names)]
    [(payload,)] = rows(
        database_url,
        "SELECT payload FROM bus.outbox WHERE destination = 'master-data:hp-emr' ORDER BY id DESC LIMIT 1",
    )
    assert payload["version"] == 2
    assert (payload["kind"], payload["owner"], payload["code"], payload["valid_from"]) == (
        "department",
        "MAIN",
        "0101",
        "2020-01-01",
    )


def test_who_comes_late_is_told_what_there_is_and_then_what_changes(
    engine: sa.Engine, database_url: str
) -> None:
    take_in(engine)
    with engine.begin() as connection:
        assert outbox.publish_present(connection, "late", ["department", "code-map"]) == 4
        assert outbox.publish_present(connection, "late", ["department", "code-map"]) == 0
        subscribers.subscribe(connection, "late", ["department", "code-map"], "chen")
    take_in(engine, DEPARTMENTS.replace("心血管内科", "心内科"))
    with engine.begin() as connection:
        assert outbox.publish_present(connection, "late", ["department", "code-map"]) == 0
    told = rows(database_url, "SELECT payload ->> 'name' FROM bus.outbox ORDER BY id")
    assert [name for (name,) in told] == ["内一科", "心血管内科", "呼吸内科", "呼吸与危重症医学科", "心内科"]


def test_who_leaves_is_told_no_more(engine: sa.Engine, database_url: str) -> None:
    with engine.begin() as connection:
        subscribers.subscribe(connection, "main-his", ["department"], "chen")
        assert subscribers.unsubscribe(connection, "main-his")
        assert not subscribers.unsubscribe(connection, "main-his")
    take_in(engine)
    assert rows(database_url, "SELECT count(*) FROM bus.outbox") == [(0,)]


@pytest.mark.parametrize(("name", "kinds"), [("Main HIS", ["bed"]), ("main-his", ["beds"]), ("main-his", [])])
def test_a_subscription_that_cannot_be_is_refused(engine: sa.Engine, name: str, kinds: list[str]) -> None:
    with engine.begin() as connection, pytest.raises(subscribers.BadSubscriptionError):
        subscribers.subscribe(connection, name, kinds, "chen")
