"""The audit is append-only, and an altered row is found."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest
import sqlalchemy as sa

from consortium.access import audit
from consortium.access.model import Action, Purpose, Role, User
from tests.integration.api.conftest import As

DOCTOR = User("doctor.main", "院本部医生", Role.DOCTOR, "MAIN")
PERSON = uuid.UUID(int=7)


def write(engine: sa.Engine, count: int = 1, reason: str = 'to treat; 治疗 "\\\n\t\x01') -> None:
    for number in range(count):
        entry = audit.entry(
            DOCTOR,
            Action.PATIENT_READ,
            Purpose.TREATMENT,
            "GET /fhir/Patient/{id}",
            "allowed",
            reason,
            request_id=str(number),
            persons=[PERSON, uuid.UUID(int=number)],
        )
        with engine.begin() as connection:
            audit.append(connection, entry)


def verdict(engine: sa.Engine) -> audit.Verdict:
    with engine.connect() as connection:
        return audit.verify(connection)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE access.audit SET username = 'somebody.else'",
        "DELETE FROM access.audit",
        "TRUNCATE access.audit",
    ],
)
def test_the_database_refuses_to_change_the_audit(engine: sa.Engine, statement: str) -> None:
    write(engine)
    with pytest.raises(sa.exc.ProgrammingError, match="append-only"), engine.begin() as connection:
        connection.execute(sa.text(statement))
    assert verdict(engine).rows == 1


def test_an_untouched_chain_is_intact(engine: sa.Engine) -> None:
    assert verdict(engine) == audit.Verdict(0, audit.GENESIS.hex(), None)
    write(engine, 5)
    found = verdict(engine)
    assert (found.rows, found.broken_at) == (5, None)


@pytest.mark.parametrize(
    ("statement", "broken_at"),
    [
        ("UPDATE access.audit SET persons = '{}' WHERE id = 3", 3),
        ("UPDATE access.audit SET at = at + interval '1 s' WHERE id = 2", 2),
        ("DELETE FROM access.audit WHERE id = 1", 1),
        ("DELETE FROM access.audit WHERE id = 4", 4),
        (
            "UPDATE access.audit SET id = id + 100 WHERE id > 3;"
            " UPDATE access.audit SET id = 109 - id WHERE id > 100",
            4,
        ),
    ],
)
def test_what_a_superuser_altered_is_found(
    seeded_url: str, engine: sa.Engine, statement: str, broken_at: int
) -> None:
    write(engine, 5)
    with psycopg.connect(seeded_url) as superuser:
        superuser.execute("SET session_replication_role = replica")  # triggers off
        superuser.execute(statement.encode())
    assert verdict(engine).broken_at == broken_at


def test_writers_at_the_same_time_make_one_chain(engine: sa.Engine) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: write(engine, 5), range(4)))
    found = verdict(engine)
    assert (found.rows, found.broken_at) == (20, None)


def test_entries_are_found_by_person_user_and_outcome_in_pages(engine: sa.Engine) -> None:
    write(engine, 5)
    with engine.connect() as connection:
        page = audit.entries(connection, limit=2, person=PERSON, username="doctor.main", outcome="allowed")
        rest = audit.entries(connection, limit=9, before=page[-1].id)
        nobody = audit.entries(connection, limit=9, person=uuid.UUID(int=99))
    assert [r.id for r in page] == [5, 4]
    assert [r.id for r in rest] == [3, 2, 1]
    assert nobody == []


async def test_an_administrator_reads_the_audit_and_that_is_audited(
    client: httpx.AsyncClient, engine: sa.Engine, as_: As
) -> None:
    write(engine, 3)
    first = (await client.get("/api/v1/audit?limit=2", headers=as_("admin"))).json()
    assert [item["id"] for item in first["items"]] == [3, 2]
    second = (await client.get(f"/api/v1/audit?before={first['next']}", headers=as_("admin"))).json()
    assert [item["id"] for item in second["items"]] == [1]
    newest = (await client.get("/api/v1/audit?limit=1", headers=as_("admin"))).json()["items"][0]
    assert (newest["username"], newest["action"], newest["purpose"]) == ("admin", "audit.read", "audit")
    chain = (await client.get("/api/v1/audit/chain", headers=as_("admin"))).json()
    assert (chain["intact"], chain["rows"]) == (True, 6)


async def test_a_refusal_is_audited(client: httpx.AsyncClient, engine: sa.Engine, as_: As) -> None:
    refused = await client.get("/api/v1/audit", headers=as_("doctor.main"))
    assert refused.status_code == 403
    with engine.connect() as connection:
        [record] = audit.entries(connection, limit=5)
    assert record.entry == audit.Entry(
        request_id=refused.headers["X-Request-Id"],
        username="doctor.main",
        role="doctor",
        organisation="MAIN",
        action="audit.read",
        purpose="audit",
        resource="GET /api/v1/audit",
        outcome="refused",
        reason="the role doctor may not do audit.read",
        persons=[],
    )
