"""The checker tells each kind of damage by its name, on a database damaged on purpose."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.fault.checker import check
from tests.fault.traffic import Traffic, traffic

SENT = traffic(12, connections=2, patients_each=2)
ALL = {message.control_id for message in SENT.messages}


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[object]]:
    """A database in which everything that was sent is stored and recorded, in order."""
    with psycopg.connect(database_url, autocommit=True) as made:
        _fill(made, SENT)
        yield made


STORE = """
WITH stored AS (
  INSERT INTO bus.inbox (facility, sender, control_id, message_type, protocol, endpoint, charset,
    patient_number, digest, size)
  VALUES ('MAIN', 'HIS', %s, 'ADT^A31', 'mllp', 'mllp', 'utf-8', %s, '', 0) RETURNING id
)
INSERT INTO bus.trace (message_id, step) SELECT id, 'recorded' FROM stored
"""
PATIENT = """
INSERT INTO identity.source_patient (id, facility, number, phone, version, message_id, changed_at)
VALUES (%s, 'MAIN', %s, %s, %s, 1, now())
"""
VERSION = """
INSERT INTO identity.source_patient_history (source_patient_id, version, facts, message_id, replaced_at)
VALUES (%s, %s, jsonb_build_object('phone', %s::text), 1, now())
"""


def _fill(connection: psycopg.Connection[object], sent: Traffic) -> None:
    for message in sent.messages:
        connection.execute(STORE, (message.control_id, message.number))
    for place, (number, phones) in enumerate(sent.phones().items(), 1):
        connection.execute(PATIENT, (place, number, phones[-1], len(phones)))
        for version, phone in enumerate(phones[:-1], 1):
            connection.execute(VERSION, (place, version, phone))


def test_an_undamaged_database_breaks_no_promise(
    connection: psycopg.Connection[object], database_url: str
) -> None:
    assert check(database_url, SENT, ALL) == []


DAMAGE = {
    "lost: gone from the inbox": (
        "DELETE FROM bus.inbox WHERE control_id = 'F0001S0001'",
        ("lost", "F0001S0001"),
    ),
    "lost: never handled": (
        "INSERT INTO bus.work (id, patient_key) SELECT id, 1 FROM bus.inbox WHERE control_id = 'F0001S0001'",
        ("lost", "F0001S0001"),
    ),
    "lost: no effect": (
        "DELETE FROM bus.trace WHERE message_id IN"
        " (SELECT id FROM bus.inbox WHERE control_id = 'F0001S0001')",
        ("lost", "F0001S0001"),
    ),
    "twice: recorded again": (
        "INSERT INTO bus.trace (message_id, step) SELECT id, 'recorded' FROM bus.inbox"
        " WHERE control_id = 'F0001S0001'",
        ("twice", "F0001S0001"),
    ),
    "twice: stored again": (
        "INSERT INTO bus.inbox (facility, sender, control_id, generation, message_type, protocol, endpoint,"
        " charset, patient_number, digest, size)"
        " SELECT facility, sender, control_id, 1, message_type, protocol, endpoint,"
        " charset, patient_number, digest, size FROM bus.inbox WHERE control_id = 'F0001S0001'",
        ("twice", "F0001S0001"),
    ),
    "order: an old value came back": (
        "UPDATE identity.source_patient s SET phone = h.facts->>'phone'"
        " FROM identity.source_patient_history h"
        " WHERE h.source_patient_id = s.id AND h.version = 1 AND s.number = 'P00001'",
        ("order", "P00001"),
    ),
    "held: nothing is to be held": (
        "INSERT INTO bus.held (message_id, code, reason) SELECT id, 'no_rule', '' FROM bus.inbox"
        " WHERE control_id = 'F0001S0001'",
        ("held", "F0001S0001"),
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named(damage: str, connection: psycopg.Connection[object], database_url: str) -> None:
    statement, expected = DAMAGE[damage]
    connection.execute(statement.encode())
    found = check(database_url, SENT, ALL)
    assert expected in {(violation.kind, violation.subject) for violation in found}
    assert {violation.subject for violation in found} <= {"F0001S0001", "P00001"}


def test_what_was_not_acknowledged_may_be_missing(
    connection: psycopg.Connection[object], database_url: str
) -> None:
    """The sender has sent it last and has got no answer."""
    last = SENT.connections[0][-1]
    patient = "(SELECT id FROM identity.source_patient WHERE number = %s)"
    connection.execute("DELETE FROM bus.inbox WHERE control_id = %s", (last.control_id,))
    connection.execute("ALTER TABLE identity.source_patient_history DISABLE TRIGGER append_only")
    connection.execute(
        "UPDATE identity.source_patient s SET phone = h.facts->>'phone', version = h.version"
        " FROM identity.source_patient_history h WHERE h.source_patient_id = s.id AND s.number = %s"
        " AND h.version = s.version - 1",
        (last.number,),
    )
    connection.execute(
        f"DELETE FROM identity.source_patient_history h WHERE source_patient_id = {patient}"  # noqa: S608 - a literal
        f" AND version = (SELECT version FROM identity.source_patient WHERE id = {patient})".encode(),
        (last.number, last.number),
    )
    assert check(database_url, SENT, ALL - {last.control_id}) == []
