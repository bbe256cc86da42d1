"""How soon a report that was sent can be read: a probe beside the load."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass

import httpx
import psycopg

from bench.engines import CHECKOUT
from bench.journey_traffic import report
from runtime import ports

EVERY = 0.5
"""Seconds between two probes."""
LOOK = 0.01
"""Seconds between the first looks for one report; later ones are a tenth of the wait apart, so that looking
costs the engine little. So late a probe can be.
"""
LOST = 60.0


@dataclass(frozen=True, slots=True)
class Probe:
    """Sends reports of its own and looks for each until it is there."""

    port: int
    looking: Callable[[], Callable[[str], bool]]
    """Makes what says whether the report of that number is visible; used by one thread."""

    @contextmanager
    def beside(self, run: str) -> Iterator[list[float]]:
        """Probe until the block ends; the list fills with the seconds from sending to seeing."""
        seen: list[float] = []
        stop = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            working = pool.submit(self._work, run, seen, stop)
            try:
                yield seen
            finally:
                stop.set()
            working.result(LOST * 2)

    def _work(self, run: str, seen: list[float], stop: threading.Event) -> None:
        visible = self.looking()
        place = 0
        with closing(socket.create_connection((ports.LOOPBACK, self.port), timeout=LOST)) as connection:
            while not stop.wait(EVERY):
                number, frame = report(run, place)
                place += 1
                began = time.monotonic()
                connection.sendall(frame)
                if b"MSA|AA|" not in connection.recv(65536):
                    raise RuntimeError("a probe was not accepted")
                while not visible(number):
                    if time.monotonic() - began > LOST:
                        raise RuntimeError(f"a probe was not visible after {LOST:.0f} s")
                    time.sleep(max(LOOK, (time.monotonic() - began) / 10))
                seen.append(time.monotonic() - began)


def signed_in(origin: str, environment: Mapping[str, str]) -> httpx.Client:
    """Return a client with a doctor's token of the platform that has these settings."""
    seed = "from bench.visible import token; print(token())"
    done = subprocess.run(
        (sys.executable, "-c", seed),
        cwd=CHECKOUT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    headers = {"Authorization": f"Bearer {done.stdout.strip()}"}
    return httpx.Client(base_url=origin, headers=headers, timeout=30, trust_env=False)


def visible_in_fhir(port: int, origin: str, environment: Mapping[str, str]) -> Probe:
    """Look as a clinician's application does: a search over `/fhir` with a bearer token."""

    def looking() -> Callable[[str], bool]:
        client = signed_in(origin, environment)

        def visible(number: str) -> bool:
            answer = client.get("/fhir/DiagnosticReport", params={"identifier": number})
            answer.raise_for_status()
            return bool(answer.json()["total"])

        return visible

    return Probe(port, looking)


def visible_in_rows(port: int, database: str) -> Probe:
    """Look where Camel puts a report: its PID row."""

    def looking() -> Callable[[str], bool]:
        connection = psycopg.connect(database, autocommit=True)
        query = b"SELECT 1 FROM pid_row WHERE facility = 'MAIN' AND control_id = %s"
        return lambda number: connection.execute(query, (number[1:],)).fetchone() is not None

    return Probe(port, looking)


def token() -> str:
    """Seed the sample users and return a token of the main campus's doctor; run where the settings are."""
    import secrets
    from datetime import UTC, datetime

    from sqlalchemy import create_engine

    from consortium.access.console import issue
    from consortium.access.seed import seed_sample_users
    from runtime.settings import load

    settings = load()
    engine = create_engine(settings.database_url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        seed_sample_users(connection, secrets.token_hex(16))
    engine.dispose()
    return issue(settings, "doctor.main", datetime.now(UTC))
