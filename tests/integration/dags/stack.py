"""Airflow on loopback for one test, configured as `up` configures it, with Huiya's own database."""

from __future__ import annotations

import secrets
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from runtime import ports, process
from runtime.plan import UnhealthyError
from runtime.services.airflow import Airflow
from runtime.settings import Settings
from runtime.waiting import until
from tests.conftest import CHECKOUT, replace_path

PARTS = ("airflow-api", "airflow-scheduler", "airflow-dags")


@dataclass(frozen=True, slots=True)
class Stack:
    """One Airflow and the databases it works on."""

    airflow: Airflow
    settings: Settings
    folder: Path

    def run(self, *arguments: str, timeout: float = 180) -> str:
        """Run one Airflow command to its end and return what it printed."""
        done = subprocess.run(
            process.python("airflow", *arguments),
            env=process.environment(self.airflow.environment()),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        said = f"airflow {' '.join(arguments)}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        assert done.returncode == 0, said
        return done.stdout

    def healthy(self) -> bool:
        """Whether every part passes the check that supervision makes."""
        try:
            return all(self.airflow.check(part) for part in PARTS)
        except UnhealthyError:
            return False

    @contextmanager
    def scheduling(self) -> Iterator[None]:
        """Run the API server, the scheduler and the DAG processor until the block ends."""
        with ExitStack() as running:
            for part in PARTS:
                running.enter_context(
                    process.running(self.airflow.command(part), self.folder / f"{part}.log")
                )
            assert until(self.healthy, 120, interval=1.0), "Airflow did not become healthy within 120 s"
            yield

    def metadata(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask Airflow's own database."""
        return _ask(self.settings.airflow_database_url, query, parameters)

    def platform(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the platform's database."""
        return _ask(self.settings.database_url, query, ())


def _ask(url: str, query: str, parameters: tuple[object, ...]) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode(), parameters or None).fetchall()


@contextmanager
def database(postgres_url: str, purpose: str) -> Iterator[str]:
    """Make an empty database for the time of the block."""
    name = f"test_{purpose}_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield replace_path(postgres_url, name)
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@contextmanager
def stack(
    postgres_url: str, database_url: str, folder: Path, setenv: Callable[[str, str], None]
) -> Iterator[Stack]:
    """Make the databases and migrate Airflow's; `setenv` gives the tasks the platform's settings."""
    with database(postgres_url, "airflow") as metadata_url, database(postgres_url, "huiya") as huiya_url:
        with psycopg.connect(huiya_url) as huiya:
            huiya.execute((CHECKOUT / "simulators" / "huiya_schema.sql").read_bytes())
        chosen = {
            "database_url": database_url,
            "huiya_url": huiya_url,
            "airflow_database_url": metadata_url,
            "airflow_port": str(ports.any_free()),
            "airflow_key": secrets.token_hex(32),
            "airflow_password": secrets.token_urlsafe(12),
            "routing_key": secrets.token_hex(32),
        }
        setenv("YILIAN_HOME", str(folder))
        for name, value in chosen.items():
            setenv(f"YILIAN_{name.upper()}", value)
        settings = Settings()
        made = Stack(Airflow(settings, folder), settings, folder)
        made.airflow.prepare()
        made.run("db", "migrate")
        yield made
