"""Nansha joins by files alone: the commands of docs/connect-a-campus.md, as they stand there."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine

from consortium.access.seed import seed_sample_users
from runtime.waiting import until
from tests.conftest import CHECKOUT, replace_path
from tests.fault.servers import port
from tests.integration.bus.clinic import rows
from tests.integration.bus.delivery.receivers import MllpReceiver

PAGE = (CHECKOUT / "docs" / "connect-a-campus.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(bash|yaml) (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = {name: text for _, name, text in BLOCK.findall(PAGE)}
PROCESSES = ("adapters.mllp", "adapters.tables", "bus.relay", "bus.router", "bus.delivery", "api")
STARTED = (
    "SELECT count(*) FROM bus.heartbeat"
    " WHERE name IN ('mllp', 'tables', 'relay', 'router', 'delivery', 'api')"
)
STATES = (
    "SELECT i.control_id, coalesce(w.state, 9) FROM bus.inbox i LEFT JOIN bus.work w ON w.id = i.id"
    " WHERE i.facility = 'NS'"
)
DONE, HELD = 9, 1
SECONDS = 90.0
MAIN_PATIENT = (
    "MSH|^~\\&|HIS|MAIN|YILIAN|GROUP|20261120080000||ADT^A28|M-1|P|2.4\r"
    "PID|1||M000777^^^MAIN^MR~440106197203080015^^^&2.16.156.10011.1.3&ISO^NI||欧阳^珅||19720308|M\r"
)


@dataclass
class Newcomer:
    """Who works through the page, in a checkout with its platform up."""

    checkout: Path
    environment: Mapping[str, str]
    url: str
    ports: Mapping[str, int]

    def runs(self, name: str) -> str:
        """Run one block of the page; return what it printed."""
        text = BLOCKS["send"] + BLOCKS[name]
        for written, ours in self.ports.items():
            text = text.replace(written, f"{written[:10]}{ours}")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.checkout,
            env=self.environment,
            capture_output=True,
            timeout=120,
            check=False,
        )
        out = done.stdout.decode("utf-8", "replace")
        assert done.returncode == 0, f"{name}: {out}\n{done.stderr.decode('utf-8', 'replace')}"
        return out

    def writes(self, name: str) -> None:
        """Write one file that the page shows."""
        text = BLOCKS[name]
        for written, ours in self.ports.items():
            text = text.replace(written, f"{written[:10]}{ours}")
        path = self.checkout / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def told(self, body: bytes) -> bytes:
        """Send one message over MLLP; return the answer."""
        mllp = self.ports["127.0.0.1/2575"]
        with socket.create_connection(("127.0.0.1", mllp), timeout=30) as connection:
            connection.sendall(b"\x0b" + body + b"\x1c\r")
            answer = b""
            while not answer.endswith(b"\x1c\r"):
                answer += connection.recv(65536)
            return answer

    def knows_nansha(self) -> bool:
        """Tell whether the listener knows the campus, by a type that it takes from nobody."""
        answer = self.told(b"MSH|^~\\&|HIS|NS|YILIAN|GROUP|20261120||ZZZ^Z01|PROBE|P|2.4\r")
        return b"names no campus" not in answer

    def states(self) -> dict[str, int]:
        """Return Nansha's messages by control id."""
        return dict(rows(self.url, STATES))


def waits(condition: Callable[[], bool], what: str) -> None:
    """Wait for what becomes true in other processes."""
    assert until(condition, SECONDS), f"not within {SECONDS:.0f} s: {what}"


@contextmanager
def receiving() -> Iterator[MllpReceiver]:
    """A system of Nansha's, on a loop of its own."""
    loop, receiver = asyncio.new_event_loop(), MllpReceiver()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(receiver.__aenter__(), loop).result(10)
    try:
        yield receiver
    finally:
        asyncio.run_coroutine_threadsafe(receiver.__aexit__(None, None, None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def running(environment: Mapping[str, str], logs: Path) -> Iterator[None]:
    """The processes of the platform."""
    with ExitStack() as stack:
        started = []
        for module in PROCESSES:
            log = stack.enter_context((logs / f"{module}.log").open("wb"))
            command = [sys.executable, "-m", module]
            started.append(
                stack.enter_context(
                    subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=log, stderr=log)
                )
            )
        try:
            yield
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(30)


@pytest.fixture
def his(postgres_url: str) -> Iterator[str]:
    """Nansha's own database, with its open table of visits."""
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS ns_his")
        admin.execute("CREATE DATABASE ns_his")
        url = replace_path(postgres_url, "ns_his")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE visit (visit_no text PRIMARY KEY, patient_no text, visit_type text,"
                " status text, dept_code text, dept_name text, doctor_no text, doctor_name text,"
                " start_time timestamp, end_time timestamp, is_deleted int DEFAULT 0,"
                " updated_at timestamptz DEFAULT clock_timestamp())"
            )
        yield url
        admin.execute("DROP DATABASE ns_his WITH (FORCE)")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the rules, and the launcher without its set-up."""
    folder = tmp_path / "checkout"
    shutil.copytree(CHECKOUT / "rules", folder / "rules")
    launcher = folder / "yilian"
    launcher.write_text(f'#!/bin/sh\nexec {sys.executable} -m runtime.cli "$@"\n', encoding="utf-8")
    launcher.chmod(0o755)
    return folder


def test_nansha_joins_by_files_alone(
    database_url: str, amqp_url: str, his: str, checkout: Path, tmp_path: Path
) -> None:
    mllp, api = port(), port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("YILIAN_")},
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(CHECKOUT),
        "YILIAN_HOME": str(tmp_path / "home"),
        "YILIAN_DATABASE_URL": database_url,
        "YILIAN_AMQP_URL": amqp_url,
        "YILIAN_RULES_DIR": str(checkout / "rules"),
        "YILIAN_ROUTING_KEY": "k" * 32,
        "YILIAN_TOKEN_KEY": "a key for tests only, 32 bytes or more",
        "YILIAN_QUEUES": "4",
        "YILIAN_ROUTER_PROCESSES": "1",
        "YILIAN_MLLP_PORT": str(mllp),
        "YILIAN_API_PORT": str(api),
        "YILIAN_TABLE_SOURCES__NS_HIS": his,
    }
    (tmp_path / "home").mkdir()
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        seed_sample_users(connection, "a password of tests")
    engine.dispose()
    with receiving() as ward, running(environment, tmp_path):
        ports = {"127.0.0.1/2575": mllp, "127.0.0.1:8080": api, "127.0.0.1:2590": ward.port}
        newcomer = Newcomer(checkout, environment, database_url, ports)
        waits(lambda: rows(database_url, STARTED) == [(6,)], "all processes beat")
        _joins(newcomer)
        _sends(newcomer)
        _is_known_across_campuses(newcomer)
        _shows_its_systems(newcomer)
        _waits_for_a_code_and_goes_on(newcomer)
        _receives(newcomer, ward)
        _shows_its_table(newcomer, his)


def _joins(newcomer: Newcomer) -> None:
    newcomer.runs("before")
    waits(lambda: not newcomer.knows_nansha(), "the doors go by three campuses")
    refused = newcomer.runs("refused")
    assert "MSA|AR|NS-1" in refused
    assert newcomer.states() == {}
    deployed = newcomer.runs("joins")
    assert "file_places.ns_lab: until it is set, no files of NS are read there" in deployed
    assert "table_sources.ns_his" not in deployed  # it is set
    named = newcomer.checkout / "mine" / "campuses" / "nansha" / "campus.yaml"
    assert named.read_text(encoding="utf-8") == BLOCKS["campuses/nansha/campus.yaml"]
    waits(newcomer.knows_nansha, "the doors know the fourth")


def _sends(newcomer: Newcomer) -> None:
    sent = newcomer.runs("sends")
    assert [f"MSA|AA|NS-{n}" in sent for n in (1, 2, 3)] == [True] * 3
    waits(lambda: newcomer.states() == {"NS-1": DONE, "NS-2": DONE, "NS-3": HELD}, "two recorded, one held")


def _is_known_across_campuses(newcomer: Newcomer) -> None:
    assert b"MSA|AA" in newcomer.told(MAIN_PATIENT.encode())
    main = "SELECT 1 FROM identity.source_patient WHERE facility = 'MAIN'"
    waits(lambda: bool(rows(newcomer.url, main)), "the main campus's patient is recorded")

    def numbers() -> set[str]:
        found = json.loads(newcomer.runs("sees"))
        told = [part["valueIdentifier"] for part in found.get("parameter", []) if "valueIdentifier" in part]
        return {f"{one['system']}|{one['value']}" for one in told}

    waits(lambda: "urn:oid:1.2.156.10011.99.1|M000777" in numbers(), "the main campus's number is found")
    assert any(one.startswith("urn:oid:1.2.156.10011.99.0|") for one in numbers())
    name = "SELECT name FROM identity.source_patient WHERE facility = 'NS'"
    assert rows(newcomer.url, name) == [("欧阳珅",)]


def _shows_its_systems(newcomer: Newcomer) -> None:
    shown = newcomer.runs("shows")
    assert "南沙院区检验科" in shown
    assert "ns-hl7-lab-report" in shown


def _waits_for_a_code_and_goes_on(newcomer: Newcomer) -> None:
    assert "CRP" in newcomer.runs("maps")
    waits(lambda: newcomer.states()["NS-3"] == DONE, "the report goes on once its code is mapped")


def _receives(newcomer: Newcomer, ward: MllpReceiver) -> None:
    newcomer.writes("campuses/nansha/destinations/ns-ward.yaml")
    assert "ns-ward" in newcomer.runs("receives")
    waits(lambda: ward.got == ["NS-4"], "the ward receives the report")
    sent = CHECKOUT / "rules" / "campuses" / "nansha" / "samples" / "lab-report-next-day.hl7"
    assert ward.bodies == [sent.read_bytes()]


def _shows_its_table(newcomer: Newcomer, his: str) -> None:
    with psycopg.connect(his, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO visit (visit_no, patient_no, visit_type, status, dept_code, dept_name, start_time)"
            " VALUES ('NSV1', 'NS000123', '门诊', '就诊中', '0301', '检验科', '2026-11-20 08:40')"
        )
    visit = "SELECT number FROM records.business_key WHERE facility = 'NS' AND kind = 'encounter'"
    waits(lambda: rows(newcomer.url, visit) == [("NSV1",)], "the visit in its open table is recorded")
