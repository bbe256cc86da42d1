"""A PostgreSQL and a RabbitMQ that may be killed, with everything kept on disk."""

from __future__ import annotations

import os
import random
import secrets
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from runtime import ports, process
from runtime.process import Command, Identity
from runtime.services import postgres, rabbitmq
from runtime.services.install import ensure_rabbitmq
from runtime.waiting import until


def port() -> int:
    """Return a free port below those that the kernel gives to outgoing connections.

    A server that is down must find its port free again, however often its clients knock meanwhile.
    """
    for number in random.sample(range(20_000, 30_000), 200):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((ports.LOOPBACK, number))
            return number
    raise AssertionError("no free port between 20000 and 30000")


@dataclass
class Member:
    """One process that is killed and started again. Only the processes started here are ever signalled."""

    name: str
    command: Callable[[], Command]
    ready: Callable[[], bool]
    log: Path
    patience: float = 60.0
    process: subprocess.Popen[bytes] | None = None
    kills: int = 0
    in_flight: list[int] = field(default_factory=list)
    """How many messages were in flight there at each kill."""

    def start(self) -> None:
        """Start it and wait until it is ready; one that ends at once is started again."""
        with self.log.open("ab") as out:
            for _ in range(20):
                self.process = started = process.spawn(self.command(), out)
                until(lambda started=started: self.ready() or started.poll() is not None, self.patience)  # type: ignore[misc]
                if started.poll() is None and self.ready():
                    return
                if started.poll() is None:
                    break
                until(lambda: False, 0.25)
        raise AssertionError(f"{self.name} did not start; its log ends:\n{self.log.read_text()[-2000:]}")

    @property
    def running(self) -> bool:
        """Whether it runs, or ended by itself."""
        return self.process is not None and self.process.poll() is None

    def _members(self) -> set[Identity]:
        assert self.process is not None
        assert self.running, f"{self.name} ended by itself:\n{self.log.read_text()[-2000:]}"
        return process.family((self.process.pid,), process.table())

    def freeze(self) -> None:
        """Stop it where it is, and then everything it started."""
        if self.process is not None and self.running:
            self.process.send_signal(signal.SIGSTOP)
        for member in self._members():
            process.send(member, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        for member in self._members():
            process.send(member, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL it and everything it started, and wait until all are gone."""
        members = self._members()
        for member in members:
            process.send(member, signal.SIGKILL)
        assert self.process is not None
        self.process.wait(timeout=20)
        assert until(lambda: not any(map(process.alive, members)), 20), f"{self.name} did not die"
        self.kills += 1

    def stop(self) -> None:
        """End it for good."""
        if self.process is not None:
            process.stop(self.process, self.command())
            self.process = None


@dataclass(frozen=True, slots=True)
class Servers:
    """The two servers."""

    postgres: Member
    broker: Member
    postgres_url: str
    amqp_url: str
    management_url: str


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Run both until the block ends."""
    ensure_rabbitmq(print)
    database = postgres.Server(folder / "postgres", port(), secrets.token_urlsafe(16))
    free = [port() for _ in range(5)]
    broker = rabbitmq.Server(
        folder / "rabbitmq", free[0], free[1], free[2], free[3], free[4], secrets.token_urlsafe(16)
    )
    folder.chmod(folder.stat().st_mode | 0o111)
    database.create(folder / "postgres.log")
    broker.create()

    with ExitStack() as running:
        running.enter_context(process.running(broker.epmd_command(), folder / "epmd.log"))
        members = (
            Member("postgres", database.command, database.ready, folder / "postgres.log"),
            Member("broker", broker.command, broker.ready, folder / "rabbitmq.log", patience=120.0),
        )
        for member in members:
            running.callback(member.stop)
            member.start()
        yield Servers(*members, database.url(), broker.amqp_url, broker.management_url)


def settings(folder: Path, chosen: dict[str, str]) -> dict[str, str]:
    """Return the environment that gives a process of ours its settings."""
    inherited = {name: "" for name in os.environ if name.startswith("YILIAN_")}
    return {**inherited, "YILIAN_HOME": str(folder), **{f"YILIAN_{k.upper()}": v for k, v in chosen.items()}}
