"""Rules that enrich a message from the records, in the router's own transaction."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from bus.router.effects import Services
from bus.router.router import Router
from bus.rules.ruleset import RuleSet
from consortium.records import lookup
from tests.integration.bus.clinic import engine_of, hl7, rows, states, store

VISIT = """
name: test-visit
facility: MAIN
description: A visit
match: msg.type == "ADT^A04"
kind: encounter
map:
  patient: {number: PID-3.1, name: {path: PID-5, as: name}}
  encounter:
    number: PV1-19
    department: {code: PV1-3.1, name: PV1-10.2}
    status: {const: arrived}
    class_: {const: outpatient}
"""
ORDER = """
name: test-order
facility: MAIN
description: An order says no department; its visit does
match: msg.type == "ORM^O01"
kind: order
map:
  patient: {number: PID-3.1}
  encounter: {number: PV1-19}
  orders:
    number: ORC-2
    kind: {const: lab}
    item: {code: OBR-4.1, name: OBR-4.2}
    status: {const: active}
    department:
      code: {record: encounter, number: PV1-19, field: department.code, required: true}
      name: {record: encounter, number: PV1-19, field: department.name}
"""
LINES = ("ORC|NW|O1", "OBR|1|O1||K^钾")


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = engine_of(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def router(engine: sa.Engine, tmp_path: Path) -> Router:
    campus = tmp_path / "campuses" / "main"
    campus.mkdir(parents=True)
    for name, text in {"10-visit": VISIT, "20-order": ORDER}.items():
        (campus / f"{name}.yaml").write_text(text)
    return Router(engine, RuleSet.load(tmp_path), Services())


def departments(url: str) -> list[tuple[object, ...]]:
    return rows(url, 'SELECT number, department_code, department_name FROM records."order"')


def test_an_order_takes_the_department_of_its_visit_that_came_just_before(
    router: Router, database_url: str
) -> None:
    ids = store(database_url, hl7("ADT^A04", visit="V1"), hl7("ORM^O01", visit="V1", more=LINES))
    router.answer(ids)
    assert states(database_url) == {}
    assert departments(database_url) == [("O1", "0101", "心血管内科")]


def test_an_order_whose_visit_is_not_there_is_held_and_goes_on_when_it_is(
    router: Router, database_url: str
) -> None:
    [order] = store(database_url, hl7("ORM^O01", visit="V1", more=LINES))
    router.answer([order])
    assert rows(database_url, "SELECT code, step FROM bus.held") == [("unknown_record", "record encounter")]
    [visit] = store(database_url, hl7("ADT^A04", visit="V1"))
    router.answer([visit])
    assert states(database_url) == {order: 3}
    with psycopg.connect(database_url) as connection:  # as a replay does
        connection.execute("UPDATE bus.work SET state = 0 WHERE id = %s", (order,))
        connection.execute("DELETE FROM bus.held")
    router.answer([order])
    assert departments(database_url) == [("O1", "0101", "心血管内科")]


def test_an_earlier_message_that_fails_says_nothing_to_a_later_one(router: Router, database_url: str) -> None:
    # The first visit is refused while it is written: its number holds what no column takes.
    bad = hl7("ADT^A04", visit="V1", name="王^\\X00\\")
    ids = store(database_url, bad, hl7("ORM^O01", "M2", visit="V1", more=LINES))
    router.answer(ids)
    assert dict(rows(database_url, "SELECT message_id, code FROM bus.held")) == {
        ids[0]: "unstorable_character",
        ids[1]: "unknown_record",
    }
    assert departments(database_url) == []


def test_what_was_entered_in_error_and_what_is_unknown_is_not_found(
    engine: sa.Engine, router: Router, database_url: str
) -> None:
    router.answer(store(database_url, hl7("ADT^A04", visit="V1")))
    with engine.begin() as connection:
        found = lookup.find(connection, "MAIN", "encounter", "V1")
        patient = lookup.find(connection, "MAIN", "patient", "M1")
        assert found is not None
        assert patient is not None
        assert (found["class_"], found["department"]["code"], patient["name"]) == (
            "outpatient",
            "0101",
            "王珅",
        )
        assert lookup.find(connection, "HP", "encounter", "V1") is None
        connection.exec_driver_sql("UPDATE records.encounter SET deleted = true")
        assert lookup.find(connection, "MAIN", "encounter", "V1") is None
