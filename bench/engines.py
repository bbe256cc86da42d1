"""The two engines under the same load: ours as it is deployed, and Apache Camel as tuned in peers/."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from bench.result import MissingError
from runtime import ports

CHECKOUT = Path(__file__).resolve().parent.parent
CAMEL = CHECKOUT / "bench" / "peers" / "camel"
JAVA_OPTIONS = ("-Xms1g", "-Xmx1g", "-XX:+UseParallelGC")


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine."""

    name: str
    port: int
    database: str
    """URL of the database that it fills."""
    table: str
    """Where its raw messages are counted."""

    def count(self) -> int:
        """Return how many messages are stored."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            row = connection.execute(f"SELECT count(*) FROM {self.table}".encode()).fetchone()  # noqa: S608 - a literal of this module
        return int(row[0]) if row else 0

    def clear(self) -> None:
        """Empty its tables and write out what is dirty, so that each load begins alike."""
        tables = "bus.inbox, bus.body, bus.work, bus.held" if self.table == "bus.inbox" else self.table
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute(f"TRUNCATE {tables}".encode())
            connection.execute("CHECKPOINT")


def database(server: str, name: str) -> str:
    """Make an empty database and return its URL."""
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"'.encode())
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))


@contextmanager
def emptied(server: str, name: str) -> Iterator[None]:
    """See that no database of that name is there, before and after."""
    drop = f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode()
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(drop)
        yield
        admin.execute(drop)


@contextmanager
def running(
    name: str, argv: tuple[str, ...], environment: Mapping[str, str], port: int, log: Path
) -> Iterator[None]:
    """Run a program until the block ends; wait for its port first, where it has one (0: none)."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv,
            cwd=CHECKOUT,
            env={**os.environ, **environment},
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
        )
    try:
        deadline = time.monotonic() + 60
        while port and not ports.accepts(ports.LOOPBACK, port, 0.5):
            if process.poll() is not None or time.monotonic() > deadline:
                raise MissingError(f"{name} did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def ours(server: str, work: Path) -> Iterator[Engine]:
    """Run `python -m adapters.mllp` on a database of the real schema."""
    url, port = database(server, "ours"), ports.any_free()
    upgrade = (sys.executable, "-m", "alembic", "-x", f"url={url}", "upgrade", "head")
    subprocess.run(upgrade, cwd=CHECKOUT, check=True, capture_output=True)
    environment = {
        "YILIAN_HOME": str(work),
        "YILIAN_DATABASE_URL": url,
        "YILIAN_ROUTING_KEY": "bench",
        "YILIAN_MLLP_HOST": ports.LOOPBACK,
        "YILIAN_MLLP_PORT": str(port),
    }
    with running("ours", (sys.executable, "-m", "adapters.mllp"), environment, port, work / "ours.log"):
        yield Engine("yilian", port, url, "bus.inbox")


def built() -> Path:
    """Return Camel's program, built by Maven when it is not yet. Raises MissingError without Java or
    Maven.
    """
    jar = CAMEL / "target" / "camel-peer.jar"
    for tool, package in (("java", "openjdk-17-jre-headless"), ("mvn", "maven")):
        if shutil.which(tool) is None and not (tool == "mvn" and jar.exists()):
            raise MissingError(
                f"the peer Apache Camel needs {tool}, which is not on PATH: apt-get install {package}"
            )
    if not jar.exists():
        done = subprocess.run(
            ("mvn", "-q", "-B", "-f", str(CAMEL), "package"), capture_output=True, text=True
        )
        if done.returncode or not jar.exists():
            raise MissingError(
                f"Maven could not build the peer (it needs Maven Central): {done.stdout[-2000:]}"
            )
    return jar


@contextmanager
def camel(
    server: str, work: Path, mode: str = "ack", settings: Mapping[str, str] | None = None
) -> Iterator[Engine]:
    """Run Camel on a database of its own with the peers' schema, on the same server."""
    name = f"peer_{uuid.uuid4().hex[:8]}"
    jar, url, port = built(), database(server, name), ports.any_free()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute((CAMEL.parent / "schema.sql").read_bytes())
    parts = urlsplit(url)
    login = f"user={parts.username}" + (f"&password={parts.password}" if parts.password else "")
    environment = {
        "MLLP_PORT": str(port),
        "JDBC_URL": f"jdbc:postgresql://{parts.hostname}:{parts.port}/{name}?{login}",
        **(settings or {}),
    }
    argv = ("java", *JAVA_OPTIONS, "-jar", str(jar), mode)
    with running("Apache Camel", argv, environment, port, work / f"{name}.log"):
        yield Engine("camel", port, url, "raw_message")
