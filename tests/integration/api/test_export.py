"""FHIR bulk data export: everything once, of one moment, whatever happens on the way."""

from __future__ import annotations

import asyncio
import errno
import json
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from api.app import create_app
from api.fhir.export import files, jobs, pages, work
from api.fhir.export.work import Exporter
from bus.fhir.systems import Systems
from consortium.access import audit
from tests.conftest import CHECKOUT
from tests.integration.api.conftest import As, settings_for
from tests.integration.api.records import (
    person_of_three_campuses,
    somebody_else,
)

Json = dict[str, Any]
ASYNC = {"Prefer": "respond-async"}
KICK_OFF = "/fhir/$export"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "exports"


@pytest.fixture
def app(seeded_url: str, root: Path) -> Iterator[FastAPI]:
    application = create_app(settings_for(seeded_url).model_copy(update={"export_folder": root}))
    yield application
    application.state.platform.engine.dispose()


@pytest.fixture
def exporter(engine: sa.Engine, seeded_url: str, root: Path) -> Exporter:
    """The loop's body, driven by hand: small pages and parts, no rest."""
    return Exporter(engine, root, Systems(settings_for(seeded_url)), 24, part=4, page=2, rest=0.0)


@pytest.fixture
def wang(engine: sa.Engine) -> UUID:
    return person_of_three_campuses(engine)


@pytest.fixture
def li(engine: sa.Engine) -> UUID:
    return somebody_else(engine)


@dataclass
class Client:
    """Somebody who exports."""

    http: httpx.AsyncClient
    headers: dict[str, str]

    async def start(self, path: str = KICK_OFF, body: Json | None = None) -> str:
        method = "GET" if body is None else "POST"
        answer = await self.http.request(method, path, headers=self.headers | ASYNC, json=body)
        assert answer.status_code == 202, answer.text
        assert answer.content == b""
        return answer.headers["Content-Location"].removeprefix("http://yilian.test")

    async def get(self, address: str, **headers: str) -> httpx.Response:
        return await self.http.get(address, headers=self.headers | headers)

    async def resources(self, status: str) -> list[Json]:
        manifest = await self.get(status)
        assert manifest.status_code == 200, manifest.text
        found: list[Json] = []
        for one in manifest.json()["output"]:
            file = await self.get(one["url"])
            assert file.headers["Content-Type"] == "application/fhir+ndjson"
            lines = [json.loads(line) for line in file.text.splitlines()]
            assert len(lines) == one["count"] > 0
            assert {line["resourceType"] for line in lines} == {one["type"]}
            found += lines
        return found


@pytest.fixture
def manager(client: httpx.AsyncClient, as_: As) -> Client:
    return Client(client, as_("manager.group"))


def keys(resources: list[Json]) -> list[tuple[str, str]]:
    return sorted((one["resourceType"], one["id"]) for one in resources)


async def searched(client: Client, doctor: dict[str, str], persons: list[UUID]) -> list[Json]:
    """Everything of some people, as `$everything` shows it."""
    found = []
    for person in persons:
        answer = await client.http.get(f"/fhir/Patient/{person}/$everything?_count=200", headers=doctor)
        found += [entry["resource"] for entry in answer.json()["entry"]]
    return found


def notes(engine: sa.Engine) -> list[audit.Entry]:
    with engine.connect() as connection:
        found = audit.entries(connection, limit=200)
    return [one.entry for one in reversed(found) if one.entry.action == "record.export"]


async def test_everything_of_everybody_comes_once_as_searches_show_it(
    manager: Client, exporter: Exporter, as_: As, wang: UUID, li: UUID, engine: sa.Engine
) -> None:
    status = await manager.start()
    waiting = await manager.get(status)
    assert (waiting.status_code, waiting.headers["Retry-After"]) == (202, "5")
    assert waiting.headers["X-Progress"] == "0%, 0 resources in 0 files"
    assert exporter.look()
    assert not exporter.look()

    found = await manager.resources(status)
    expected = await searched(manager, as_("doctor.main"), [wang, li])
    assert keys(found) == keys(expected)
    assert {(r["resourceType"], r["id"]): r for r in found} == {
        (r["resourceType"], r["id"]): r for r in expected
    }
    manifest = (await manager.get(status)).json()
    assert manifest["request"] == "http://yilian.test/fhir/$export"
    assert (manifest["requiresAccessToken"], manifest["error"], manifest["deleted"]) == (True, [], [])
    assert max(Counter(one["type"] for one in manifest["output"]).values()) > 1  # several parts of a type

    begun, *downloads = notes(engine)
    assert (begun.username, begun.resource, begun.persons) == ("manager.group", "GET /fhir/$export", [])
    assert "of all patients begun" in begun.reason
    assert len(downloads) == len(manifest["output"])
    assert "00001-Patient.ndjson, 2 resources of 2 patients" in downloads[0].reason


async def test_the_types_asked_for_come_alone(manager: Client, exporter: Exporter, wang: UUID) -> None:
    status = await manager.start(f"{KICK_OFF}?_type=Observation,Patient&_outputFormat=ndjson")
    exporter.look()
    found = await manager.resources(status)
    assert Counter(one["resourceType"] for one in found) == {"Patient": 1, "Observation": 6}


async def test_medicines_and_other_orders_are_told_apart(
    manager: Client, exporter: Exporter, wang: UUID
) -> None:
    status = await manager.start("/fhir/Patient/$export?_type=ServiceRequest,MedicationRequest")
    exporter.look()
    assert Counter(one["resourceType"] for one in await manager.resources(status)) == {"ServiceRequest": 3}


async def test_people_by_name_come_alone_and_are_in_the_audit(
    manager: Client, exporter: Exporter, wang: UUID, li: UUID, engine: sa.Engine
) -> None:
    parameters = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "patient", "valueReference": {"reference": f"Patient/{li}"}},
            {"name": "_type", "valueString": "Patient,DiagnosticReport"},
        ],
    }
    status = await manager.start("/fhir/Patient/$export", parameters)
    exporter.look()
    found = await manager.resources(status)
    assert [one["resourceType"] for one in found] == ["Patient", "DiagnosticReport"]
    assert found[0]["id"] == str(li)
    assert [one.persons for one in notes(engine)] == [[li]] * 3


async def test_since_gives_what_changed_and_what_was_taken_back(
    manager: Client, exporter: Exporter, engine: sa.Engine, wang: UUID, li: UUID
) -> None:
    later = "2026-11-21T00:00:00Z"
    with engine.begin() as connection:
        changed = "UPDATE records.report SET changed_at = '2026-11-22', deleted = true WHERE number = 'L-M2'"
        assert connection.execute(sa.text(changed)).rowcount == 1
    whole = await manager.start(f"{KICK_OFF}?_type=DiagnosticReport")
    since = await manager.start(f"{KICK_OFF}?_type=DiagnosticReport,Encounter,Patient&_since={later}")
    assert exporter.look()
    assert exporter.look()
    assert all(one["status"] == "final" for one in await manager.resources(whole))
    [back] = await manager.resources(since)
    assert (back["resourceType"], back["status"]) == ("DiagnosticReport", "entered-in-error")
    assert back["subject"] == {"reference": f"Patient/{li}"}


async def test_since_gives_the_records_of_a_number_that_went_to_another_person(
    manager: Client, exporter: Exporter, engine: sa.Engine, li: UUID
) -> None:
    with engine.begin() as connection:
        moved = (
            "INSERT INTO identity.ledger (source_patient_id, to_person, origin, rule, rule_version, at)"
            " SELECT id, :li, 'manual', 'review', 1, '2026-11-22' FROM identity.source_patient"
            " WHERE number = 'M2'"
        )
        assert connection.execute(sa.text(moved), {"li": li}).rowcount == 1
    status = await manager.start(f"{KICK_OFF}?_type=DiagnosticReport&_since=2026-11-21")
    exporter.look()
    assert [one["subject"]["reference"] for one in await manager.resources(status)] == [f"Patient/{li}"]


async def test_what_changes_after_the_transaction_time_is_not_in_it(
    manager: Client, exporter: Exporter, engine: sa.Engine, wang: UUID, li: UUID
) -> None:
    status = await manager.start(f"{KICK_OFF}?_type=DiagnosticReport")
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE records.report SET changed_at = clock_timestamp() WHERE number = 'L-M2'")
        )
    exporter.look()
    found = await manager.resources(status)
    assert len(found) == 6
    assert f"Patient/{li}" not in {one["subject"]["reference"] for one in found}


def received(connection: sa.Connection) -> datetime:
    """Put a message before the router, and return when it was received."""
    message = (
        "INSERT INTO bus.inbox (received_at, facility, sender, control_id, message_type, protocol, endpoint,"
        " charset, digest, size) VALUES (clock_timestamp() - interval '1 hour', 'HP', 'HIS', '1', 'ADT^A01',"
        " 'mllp', 'mllp', 'utf-8', '\\x00', 1) RETURNING id, received_at"
    )
    row = connection.execute(sa.text(message)).one()
    connection.execute(sa.text("INSERT INTO bus.work (id, patient_key) VALUES (:id, 1)"), {"id": row.id})
    found: datetime = row.received_at
    return found


async def test_it_waits_for_open_writes_and_its_time_lies_before_what_the_router_has_not_done(
    manager: Client, exporter: Exporter, engine: sa.Engine, li: UUID
) -> None:
    with engine.connect() as writing, writing.begin():
        at = received(writing)
        status = await manager.start(f"{KICK_OFF}?_type=Patient")
        assert not exporter.look()
    assert exporter.look()
    told = datetime.fromisoformat((await manager.get(status)).json()["transactionTime"])
    assert told == at - timedelta(microseconds=1)
    assert len(await manager.resources(status)) == 1


async def test_a_file_is_sent_compressed_to_who_takes_it_alone(
    manager: Client, exporter: Exporter, wang: UUID
) -> None:
    status = await manager.start(f"{KICK_OFF}?_type=Patient")
    exporter.look()
    [one] = (await manager.get(status)).json()["output"]
    zipped = await manager.get(one["url"], **{"Accept-Encoding": "gzip"})
    plain = await manager.get(one["url"], **{"Accept-Encoding": "identity"})
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert zipped.content == plain.content
    assert json.loads(plain.content)["id"] == str(wang)


async def test_a_cancelled_export_is_gone_with_its_files(
    manager: Client, exporter: Exporter, root: Path, engine: sa.Engine, wang: UUID
) -> None:
    status = await manager.start(f"{KICK_OFF}?_type=Patient")
    exporter.look()
    [one] = (await manager.get(status)).json()["output"]
    cancelled = await manager.http.delete(status, headers=manager.headers)
    assert cancelled.status_code == 202
    assert files.left(root) == []
    for address in (status, one["url"]):
        answer = await manager.get(address)
        assert (answer.status_code, answer.json()["resourceType"]) == (404, "OperationOutcome")
    assert notes(engine)[-1].reason.endswith("removed, 1 resources")


async def test_an_export_cancelled_while_it_is_worked_at_leaves_nothing(
    manager: Client, exporter: Exporter, engine: sa.Engine, root: Path, wang: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    status = await manager.start()
    job, read = UUID(status.rpartition("/")[2]), pages.page

    def cancelling(*arguments: Any) -> Any:
        with engine.begin() as connection:
            jobs.remove(connection, job)
        return read(*arguments)

    monkeypatch.setattr(pages, "page", cancelling)
    exporter.look()
    exporter.sweep()
    assert files.left(root) == []
    assert (await manager.get(status)).status_code == 404


async def test_a_paused_export_goes_on_behind_its_last_file(
    manager: Client, exporter: Exporter, engine: sa.Engine, wang: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = await manager.start(f"{KICK_OFF}?_type=Observation")
    job, read, read_so_far = UUID(status.rpartition("/")[2]), pages.page, []

    def pausing(*arguments: Any) -> Any:
        read_so_far.append(arguments)
        if len(read_so_far) == 3:
            with engine.begin() as connection:
                assert jobs.switch(connection, job, "active", "paused")
        return read(*arguments)

    monkeypatch.setattr(pages, "page", pausing)
    exporter.look()
    waiting = await manager.get(status)
    assert waiting.headers["X-Progress"].startswith("paused, ")
    assert waiting.headers["X-Progress"].endswith("4 resources in 1 files")
    assert not exporter.look()
    with engine.begin() as connection:
        assert jobs.switch(connection, job, "paused", "active")
    exporter.look()
    found = keys(await manager.resources(status))
    assert len(found) == len(set(found)) == 6


KILLED = """
import os, signal, sys
from pathlib import Path
from api.fhir.export import files, pages, work
from bus.fhir.systems import Systems
from tests.integration.api.conftest import connected, settings_for

url, root, what, count = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
calls = 0
def dying(whole):
    def call(*arguments):
        global calls
        calls += 1
        if calls == count and what != "kept":
            os.kill(os.getpid(), signal.SIGKILL)
        done = whole(*arguments)
        if calls == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    return call
if what == "page":
    pages.page = dying(pages.page)
else:
    files.Writing.keep = dying(files.Writing.keep)
work.Exporter(connected(url), root, Systems(settings_for(url)), 24, part=4, page=2, rest=0.0).look()
"""


@pytest.mark.parametrize(("what", "count"), [("page", 1), ("page", 6), ("rename", 2), ("kept", 2)])
async def test_after_a_sigkill_no_line_is_lost_or_comes_twice(
    manager: Client, exporter: Exporter, as_: As, seeded_url: str, root: Path, wang: UUID, li: UUID,
    what: str, count: int,
) -> None:  # fmt: skip
    status = await manager.start()
    command = [sys.executable, "-c", KILLED, seeded_url, str(root), what, str(count)]
    died = await asyncio.create_subprocess_exec(*command, cwd=CHECKOUT)
    assert await died.wait() == -signal.SIGKILL
    assert (await manager.get(status)).status_code == 202
    assert exporter.look()
    found = await manager.resources(status)
    assert keys(found) == keys(await searched(manager, as_("doctor.main"), [wang, li]))
    folder = root / status.rpartition("/")[2]
    assert len(list(folder.iterdir())) == len((await manager.get(status)).json()["output"])


async def test_one_process_works_at_a_time(
    manager: Client, exporter: Exporter, engine: sa.Engine, li: UUID
) -> None:
    await manager.start()
    with engine.connect() as other:
        other.execute(sa.text("SELECT pg_advisory_lock(:lock)"), {"lock": work.LOCK})
        assert not exporter.look()
    assert exporter.look()


async def test_an_export_that_cannot_be_made_fails_and_lets_the_next_one_be_made(
    manager: Client, exporter: Exporter, li: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = await manager.start(), await manager.start(f"{KICK_OFF}?_type=Patient")

    def wrong(*_: Any) -> Any:
        raise KeyError("a patient's name")

    with monkeypatch.context() as patched:
        patched.setattr(pages, "page", wrong)
        exporter.look()
    exporter.look()
    failed = await manager.get(bad)
    assert (failed.status_code, failed.json()["resourceType"]) == (500, "OperationOutcome")
    assert "KeyError" in failed.text
    assert "a patient's name" not in failed.text
    assert len(await manager.resources(good)) == 1


async def test_a_folder_that_takes_nothing_is_told_and_tried_again(
    manager: Client, exporter: Exporter, li: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = await manager.start(f"{KICK_OFF}?_type=Patient")

    def full(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files.Writing, "add", full)
        with pytest.raises(OSError, match="No space left"):
            exporter.look()
    assert "takes nothing: No space left" in (await manager.get(status)).headers["X-Progress"]
    assert exporter.look()
    assert len(await manager.resources(status)) == 1


async def test_files_are_kept_for_a_while_and_swept(
    manager: Client, exporter: Exporter, engine: sa.Engine, root: Path, li: UUID
) -> None:
    status, young = await manager.start(), await manager.start()
    assert exporter.look()
    assert exporter.look()
    assert (await manager.get(young)).headers["Expires"].endswith("GMT")
    (root / "00000000-0000-4000-8000-000000000001").mkdir()
    (root / "somebody's").mkdir()
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE records.export_job SET ended_at = ended_at - interval '25 hours' WHERE id = :id"),
            {"id": UUID(status.rpartition("/")[2])},
        )
    exporter.sweep()
    assert [str(one) for one in files.left(root)] == [young.rpartition("/")[2]]
    assert (root / "somebody's").exists()
    assert (await manager.get(status)).status_code == 404


@pytest.mark.parametrize("who", ["manager.huangpu", "doctor.main", "engineer", "patient.demo"])
async def test_who_does_not_work_for_the_group_is_refused_and_that_is_audited(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine, who: str
) -> None:
    answer = await client.get(KICK_OFF, headers=as_(who) | ASYNC)
    assert (answer.status_code, answer.json()["resourceType"]) == (403, "OperationOutcome")
    [refused] = notes(engine)
    assert (refused.username, refused.outcome) == (who, "refused")


async def test_an_export_is_its_owners_alone(
    manager: Client, exporter: Exporter, client: httpx.AsyncClient, as_: As, li: UUID
) -> None:
    status = await manager.start()
    exporter.look()
    address = (await manager.get(status)).json()["output"][0]["url"]
    for method, path in (("GET", status), ("DELETE", status), ("GET", address)):
        assert (await client.request(method, path, headers=as_("admin"))).status_code == 404
    assert (await manager.get(status)).status_code == 200


async def test_what_cannot_be_asked_is_an_operation_outcome(manager: Client) -> None:
    sync = await manager.get(KICK_OFF)
    unknown = await manager.get(f"{KICK_OFF}?_type=Spaceship", **ASYNC)
    nobody = await manager.http.post(
        "/fhir/Patient/$export",
        headers=manager.headers | ASYNC,
        json={
            "resourceType": "Parameters",
            "parameter": [{"name": "patient", "valueReference": {"reference": f"Patient/{UUID(int=1)}"}}],
        },
    )
    nothing = await manager.get("/fhir/$export-status/1")
    answers = [sync, unknown, nobody, nothing]
    assert [one.status_code for one in answers] == [400, 400, 404, 404]
    assert {one.json()["resourceType"] for one in answers} == {"OperationOutcome"}


async def test_unfinished_exports_of_one_user_are_few(manager: Client) -> None:
    for _ in range(jobs.MOST_OPEN):
        await manager.start()
    answer = await manager.get(KICK_OFF, **ASYNC)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")


def test_the_plan_of_a_page_reads_no_table_whole(engine: sa.Engine) -> None:
    """Keyset paging by the primary key, merged over the partitions."""
    with engine.connect() as connection:
        for way in ("seqscan", "bitmapscan", "sort"):  # a table without rows has no other plan to beat
            connection.execute(sa.text(f"SET enable_{way} = off"))
        plan = connection.execute(
            sa.text(
                "EXPLAIN SELECT id FROM records.result WHERE NOT deleted AND changed_at <= now()"
                " AND id > '00000000-0000-4000-8000-000000000001' ORDER BY id LIMIT 200"
            )
        ).scalars()
        told = "\n".join(plan)
    assert "Merge Append" in told
    assert "Sort Key: result.id" in told
    assert "Index Scan using result_0_pkey" in told or "Index Only Scan using result_0_pkey" in told


async def test_the_loop_works_beside_the_api(
    app: FastAPI, manager: Client, li: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, look = threading.Semaphore(0), Exporter.look

    def telling(self: Exporter) -> bool:
        done = look(self)
        looked.release()
        return done

    monkeypatch.setattr(Exporter, "look", telling)
    monkeypatch.setattr(work, "LOOK", 0.05)
    async with app.router.lifespan_context(app), asyncio.timeout(30):
        status = await manager.start(f"{KICK_OFF}?_type=Patient")
        while (await manager.get(status)).status_code == 202:
            await asyncio.to_thread(looked.acquire, timeout=1)
        assert len(await manager.resources(status)) == 1
