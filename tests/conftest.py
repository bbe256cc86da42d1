"""Real servers for the tests: one PostgreSQL and one RabbitMQ a run, a fresh database or vhost a test."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, settings

from tests.sockets import pytest_configure as pytest_configure
from tests.sockets import pytest_terminal_summary as pytest_terminal_summary

settings.register_profile(
    "run", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
"""The same examples in every run, and no failure for a slow machine."""
settings.register_profile("search", deadline=None, max_examples=5000)
"""`YILIAN_TEST_HYPOTHESIS=search`: look for new counterexamples."""
settings.load_profile(os.environ.get("YILIAN_TEST_HYPOTHESIS", "run"))

CHECKOUT = Path(__file__).resolve().parent.parent
LAYERS = ("unit", "contract", "integration", "interop", "fault", "e2e")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the folder it lies in."""
    for item in items:
        layer = item.path.relative_to(CHECKOUT / "tests").parts[0]
        if layer in LAYERS:
            item.add_marker(layer)


def replace_path(url: str, path: str) -> str:
    """Return the URL with another path: the database or vhost."""
    return urlunsplit(urlsplit(url)._replace(path="/" + path))


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a PostgreSQL superuser; `YILIAN_TEST_DATABASE_URL` names one that runs already."""
    if url := os.environ.get("YILIAN_TEST_DATABASE_URL"):
        yield url
        return
    from runtime.services.postgres import ephemeral

    # Tests kill processes, never the machine; a database made and dropped for each flushes a thousand files.
    with ephemeral(tmp_path_factory.mktemp("postgres"), durable=False) as url:
        yield url


@pytest.fixture(scope="session")
def mariadb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a MariaDB superuser; `YILIAN_TEST_MARIADB_URL` names one that runs already."""
    if url := os.environ.get("YILIAN_TEST_MARIADB_URL"):
        yield url
        return
    from runtime.services.mariadb import ephemeral

    with ephemeral(tmp_path_factory.mktemp("mariadb")) as url:
        yield url


@pytest.fixture(scope="session")
def amqp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """(AMQP URL, management URL), both with credentials.

    `YILIAN_TEST_AMQP_URL` and `YILIAN_TEST_RABBITMQ_UI` name a broker that runs already.
    """
    if url := os.environ.get("YILIAN_TEST_AMQP_URL"):
        yield url, os.environ["YILIAN_TEST_RABBITMQ_UI"]
        return
    from runtime.services.rabbitmq import ephemeral

    with ephemeral(tmp_path_factory.mktemp("rabbitmq")) as urls:
        yield urls


def migrate(url: str) -> None:
    """Bring a database to the newest schema, as `up` does."""
    subprocess.run(
        [sys.executable, "-m", "alembic", "-x", f"url={url}", "upgrade", "head"], cwd=CHECKOUT, check=True
    )


@contextmanager
def database(server: str, template: str | None = None) -> Iterator[str]:
    """Have a database of a server, empty or a template's copy, while the block runs; yield its URL.

    A small template is copied sooner by its files than through the log.
    """
    name = f"test_{uuid.uuid4().hex[:12]}"
    copied = f' TEMPLATE "{template}" STRATEGY file_copy' if template else ""
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"{copied}'.encode())
        yield replace_path(server, name)
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def name_of(url: str) -> str:
    """Return the name of the database that a URL leads to."""
    return urlsplit(url).path.removeprefix("/")


@pytest.fixture(scope="session")
def template_database(postgres_url: str) -> Iterator[str]:
    """Name of a migrated, empty database to copy."""
    with database(postgres_url) as url:
        migrate(url)
        yield name_of(url)


@pytest.fixture
def database_url(postgres_url: str, template_database: str) -> Iterator[str]:
    """URL of a fresh migrated database, dropped afterwards."""
    with database(postgres_url, template_database) as url:
        yield url


def _management(base: str, method: str, path: str, body: bytes | None = None) -> None:
    parts = urlsplit(base)
    answer = httpx.request(
        method,
        f"http://{parts.hostname}:{parts.port}/api{path}",
        content=body,
        auth=(parts.username or "", parts.password or ""),
        headers={"Content-Type": "application/json"},
        timeout=30,
        trust_env=False,
    )
    answer.raise_for_status()


@pytest.fixture
def amqp_url(amqp_server: tuple[str, str]) -> Iterator[str]:
    """AMQP URL of a fresh vhost, deleted afterwards."""
    url, management = amqp_server
    vhost = f"test-{uuid.uuid4().hex[:12]}"
    user = quote(urlsplit(url).username or "guest")
    _management(management, "PUT", f"/vhosts/{vhost}")
    _management(
        management, "PUT", f"/permissions/{vhost}/{user}", b'{"configure":".*","write":".*","read":".*"}'
    )
    yield replace_path(url, vhost)
    _management(management, "DELETE", f"/vhosts/{vhost}")
