"""Our own processes and how each is asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec

import psycopg

from runtime import ports, process
from runtime.ask import FAILURES, ask
from runtime.plan import UnhealthyError
from runtime.process import Command
from runtime.settings import CHECKOUT, Settings

FRESH = 20.0
"""Seconds after which a heartbeat is stale."""


@dataclass(frozen=True, slots=True)
class Own:
    """One process of ours."""

    name: str
    module: str
    requires: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def landed(self) -> bool:
        """Whether the module can be run."""
        try:
            spec = find_spec(self.module)
        except ModuleNotFoundError:
            return False
        return spec is not None and (
            spec.submodule_search_locations is None or find_spec(f"{self.module}.__main__") is not None
        )

    def command(self) -> Command:
        """Return how it is started; it ends within 10 s of SIGTERM."""
        environment = {"PYTHONPATH": str(CHECKOUT), **self.environment}
        return Command(process.python(self.module), environment, cwd=CHECKOUT)


PROCESSES = (
    Own("relay", "bus.relay", ("schema", "rabbitmq")),
    Own("router", "bus.router", ("schema", "rabbitmq")),
    Own("delivery", "bus.delivery", ("schema",)),
    Own("mllp", "adapters.mllp", ("schema",)),
    Own("pix", "adapters.mllp.pix", ("schema",)),
    Own("tables", "adapters.tables", ("schema",)),
    Own("files", "adapters.files", ("schema",)),
    Own("gateway", "adapters.gateway.hub", ("schema",)),
    Own("api", "api", ("schema",)),
    Own("worker", "activities", ("schema", "temporal")),
)


def processes(settings: Settings) -> Iterator[Own]:
    """Give each process under these settings: the router once for each of its parts."""
    for one in PROCESSES:
        if one.name != "router":
            yield one
            continue
        for part, name in enumerate(settings.routers, start=1):
            yield replace(one, name=name, environment={"YILIAN_ROUTER_PART": str(part)})


class Heartbeats:
    """The rows of `bus.heartbeat`, read at most once every two seconds whoever asks."""

    def __init__(self, url: str) -> None:
        """Keep where they are."""
        self._url = url
        self._lock = threading.Lock()
        self._read = 0.0
        self._rows: dict[str, tuple[float, dict[str, object]]] = {}

    def check(self, name: str) -> str:
        """Return what the process tells of itself. Raises `UnhealthyError` without a fresh row."""
        with self._lock:
            if time.monotonic() - self._read > 2.0:
                self._rows = self._query()
                self._read = time.monotonic()
            row = self._rows.get(name)
        if row is None:
            raise UnhealthyError(f"{name} has not given a sign of life yet")
        age, detail = row
        if age > FRESH:
            raise UnhealthyError(f"{name}'s last sign of life is {age:.0f} s old")
        return told(detail)

    def forget(self, name: str) -> None:
        """Remove what an earlier process of that name left: only the new one's sign of life counts."""
        try:
            with psycopg.connect(self._url, connect_timeout=5, application_name="health") as connection:
                connection.execute("DELETE FROM bus.heartbeat WHERE name = %s", (name,))
        except psycopg.Error as error:
            raise UnhealthyError("PostgreSQL does not answer") from error
        with self._lock:
            self._rows.pop(name, None)

    def _query(self) -> dict[str, tuple[float, dict[str, object]]]:
        question = (
            "SELECT name, extract(epoch FROM clock_timestamp() - at)::float8, detail FROM bus.heartbeat"
        )
        try:
            with psycopg.connect(self._url, connect_timeout=5, application_name="health") as connection:
                return {name: (age, detail) for name, age, detail in connection.execute(question)}
        except psycopg.Error as error:
            raise UnhealthyError("PostgreSQL does not answer, so no sign of life can be read") from error


def told(detail: Mapping[str, object]) -> str:
    """Return what a process tells of itself as one line: counts and words, in its order; nothing empty."""
    plain = {k: v for k, v in detail.items() if isinstance(v, (int, float, str)) and v != ""}
    inner = {f"{k} ({told(v)})": "" for k, v in detail.items() if isinstance(v, Mapping) and v}
    return ", ".join(f"{key} {value}".strip() for key, value in (plain | inner).items())


def check_api(host: str, port: int) -> str:
    """Ask the API how it is. Raises `UnhealthyError`."""
    try:
        answer = json.loads(ask(host, port, "/api/v1/health", timeout=5))
    except FAILURES as error:
        raise UnhealthyError(f"the API at {host}:{port} does not answer: {error}") from error
    return str(answer.get("status", "answers")) if isinstance(answer, dict) else "answers"


def check_tcp(host: str, port: int) -> None:
    """See that something listens there. Raises `UnhealthyError`."""
    if not ports.accepts(host, port):
        raise UnhealthyError(f"nothing accepts connections at {host}:{port}")
