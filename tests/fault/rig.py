"""Real adapter, relay and router on servers of their own, and the kills."""

from __future__ import annotations

import secrets
import socket
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from runtime import process
from runtime.process import Command
from runtime.waiting import until
from tests.conftest import CHECKOUT, migrate, replace_path
from tests.fault.checker import Violation, check
from tests.fault.sender import Sender
from tests.fault.servers import Member, Servers, port, settings
from tests.fault.traffic import Traffic

MODULES = {"adapter": "adapters.mllp", "relay": "bus.relay", "router": "bus.router"}
FREEZE_SECONDS = 0.2
"""How long a part stands still before it is killed: what is sent to it meanwhile is only in sockets."""
IN_FLIGHT_SECONDS = 20.0
STUCK_SECONDS = 12.0
"""After so long without progress, what is left is taken for stuck."""

_UNPUBLISHED = "SELECT id FROM bus.work WHERE state = 0 AND published_at IS NULL"
_PUBLISHED = "SELECT id FROM bus.work WHERE state = 0 AND published_at IS NOT NULL"
_ROUTER_BUSY = (
    "SELECT id FROM bus.work WHERE state = 0 AND published_at IS NOT NULL"
    " AND EXISTS (SELECT 1 FROM pg_stat_activity"
    " WHERE application_name = 'router' AND datname = current_database() AND xact_start IS NOT NULL)"
)


@dataclass
class Rig:
    """One platform under fire."""

    members: Mapping[str, Member]
    url: str
    sender: Sender
    traffic: Traffic

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the platform's database; empty while it is away."""
        try:
            with psycopg.connect(self.url, connect_timeout=5, application_name="fault") as connection:
                return connection.execute(query.encode()).fetchall()
        except psycopg.OperationalError:
            return []

    def strike(self, name: str, burst: int) -> None:
        """Let a burst go, kill one part while messages are in flight in it, and start it again."""
        self.quiet()
        self.sender.release(burst)
        member = self.members[name]
        assert until(lambda: self._frozen(name, burst // 4), IN_FLIGHT_SECONDS, interval=0.0), (
            f"nothing was in flight in the {name}"
        )
        member.kill()
        member.start()

    def strike_broker(self, burst: int) -> None:
        """As `strike`: half of the burst goes through, half is sent to a broker that stands still."""
        self.quiet()
        broker = self.members["broker"]
        self.sender.release(burst // 2)
        until(lambda: self._in_flight("broker") > 0, 1.0, interval=0.0)
        broker.freeze()
        self.sender.release(burst - burst // 2)
        assert until(lambda: self.sender.settled and self._left() > 0, IN_FLIGHT_SECONDS), (
            "nothing was in flight"
        )
        broker.in_flight.append(self._left())
        broker.kill()
        broker.start()

    def strike_all(self, burst: int) -> None:
        """Let a burst go and kill everything at the same moment."""
        self.quiet()
        self.sender.release(burst)
        assert until(lambda: self._in_flight("router") > 0, IN_FLIGHT_SECONDS, interval=0.0)
        for member in self.members.values():
            member.kill()
        for name in ("postgres", "broker", "router", "relay", "adapter"):
            self.members[name].start()

    def strike_blind(self, burst: int) -> None:
        """Let a burst go while the database is dead, kill the adapter too, and start both again."""
        self.quiet()
        self.members["postgres"].kill()
        known = len(self.sender.acknowledged)
        self.sender.release(burst)
        until(lambda: len(self.sender.acknowledged) > known, 2.0)
        self.members["adapter"].kill()
        self.members["postgres"].start()
        self.members["adapter"].start()

    def quiet(self, seconds: float = 90.0) -> None:
        """Wait until all that was sent is answered and done: the next kill hits what is at work again."""
        quiet = until(lambda: self.sender.settled and self._left() == 0, seconds)
        states = {name: member.running for name, member in self.members.items()}
        assert quiet, (
            f"after {seconds:.0f} s {self._left()} are not done, and of {self.sender.released} let go"
            f" {len(self.sender.acknowledged)} acknowledged; {dict(self.sender.counts)}; running: {states}"
        )

    def finish(self) -> list[Violation]:
        """Let everything go, wait until it is done or stuck, and check what must hold."""
        self.sender.release_all()
        assert until(lambda: self.sender.settled, 120), "not everything was acknowledged"
        self._drain()
        violations = check(self.url, self.traffic, self.sender.acknowledged)
        return violations + [
            Violation("refused", control, answer.decode(errors="replace"))
            for control, answer in self.sender.refused.items()
        ]

    def _left(self) -> int:
        rows = self.rows("SELECT count(*) FROM bus.work")
        return int(rows[0][0]) if rows else -1

    def _drain(self) -> None:
        left, since = self._left(), time.monotonic()
        while left != 0 and time.monotonic() - since < STUCK_SECONDS:
            until(lambda: False, 0.5)
            now = self._left()
            if now != left:
                left, since = now, time.monotonic()

    def _frozen(self, name: str, more: int) -> bool:
        """Freeze a part; True, and it stays frozen, when messages are in flight in it now.

        When all are through already, `more` are let go.
        """
        if not self._in_flight(name):
            if self.sender.settled and self._left() == 0:
                self.sender.release(more)
            return False
        member = self.members[name]
        member.freeze()
        until(lambda: False, FREEZE_SECONDS)
        caught = self._in_flight(name)
        if not caught:
            member.thaw()
            return False
        member.in_flight.append(caught)
        return True

    def _in_flight(self, name: str) -> int:
        """Return how many messages a part has: unanswered, unpublished, in queues, being recorded."""
        if name in ("adapter", "postgres"):
            return len(self.sender.outstanding)
        queries = {"relay": _UNPUBLISHED, "router": _ROUTER_BUSY, "broker": _PUBLISHED}
        return len(self.rows(queries[name]))


@contextmanager
def rig(
    servers: Servers,
    folder: Path,
    traffic: Traffic,
    *,
    seed: int,
    planted: Mapping[str, str] | None = None,
    schema: Sequence[str] = (),
) -> Iterator[Rig]:
    """Run the platform on a fresh database and fresh queues.

    `planted`: part → module that runs in place of the real one. `schema`: statements that damage the schema.
    """
    name = f"fault_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(servers.postgres_url, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"'.encode())
    url = replace_path(servers.postgres_url, name)
    migrate(url)
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in schema:
            connection.execute(statement.encode())
    mllp_port = port()
    environment = settings(
        folder,
        {
            "database_url": url,
            "amqp_url": servers.amqp_url,
            "mllp_port": str(mllp_port),
            "routing_key": secrets.token_hex(32),
            "queues": "4",
            "republish_seconds": "3600",  # the safety net is off: the confirms alone must carry
        },
    )
    own = {
        part: Member(
            part,
            _command((planted or {}).get(part, module), environment),
            _ready(part, mllp_port, url),
            folder / f"{part}.log",
        )
        for part, module in MODULES.items()
    }
    with ExitStack() as running:
        for part in ("router", "relay", "adapter"):
            running.callback(own[part].stop)
            own[part].start()
        sender = running.enter_context(Sender(mllp_port, traffic, seed=seed))
        yield Rig({**own, "broker": servers.broker, "postgres": servers.postgres}, url, sender, traffic)


def _command(module: str, environment: Mapping[str, str]) -> Any:
    return lambda: Command(process.python(module), environment, cwd=CHECKOUT)


def _ready(part: str, mllp_port: int, url: str) -> Any:
    if part == "adapter":
        return lambda: _listens(mllp_port)
    started = b"SELECT 1 FROM bus.heartbeat WHERE name = %s AND at > clock_timestamp() - interval '1 second'"

    def beats() -> bool:
        with psycopg.connect(url, connect_timeout=5) as connection:
            return connection.execute(started, (part,)).fetchone() is not None

    return beats


def _listens(mllp_port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", mllp_port), timeout=1).close()
    except OSError:
        return False
    return True
