"""The application over a fresh database with the sample users in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
from fastapi import FastAPI

from api.app import create_app
from consortium.access import tokens
from consortium.access.accounts import bind_patient
from consortium.access.seed import seed_sample_users
from runtime.settings import Settings
from tests.conftest import database, migrate, name_of
from tests.integration.api.records import person_of_three_campuses, somebody_else

PASSWORD = "示例密码 1"
TOKEN_KEY = "a key for tests only, 32 bytes or more"


def connected(url: str) -> sa.Engine:
    return sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=sa.NullPool)


@pytest.fixture(scope="session")
def seeded_database(postgres_url: str) -> Iterator[str]:
    """Name of a migrated database with the sample users, to copy."""
    with database(postgres_url) as url:
        migrate(url)
        with connected(url).begin() as connection:
            seed_sample_users(connection, PASSWORD)
        yield name_of(url)


@pytest.fixture
def seeded_url(postgres_url: str, seeded_database: str) -> Iterator[str]:
    """URL of a fresh database with the sample users."""
    with database(postgres_url, seeded_database) as url:
        yield url


@pytest.fixture
def engine(seeded_url: str) -> sa.Engine:
    """The database, as a test looks at it beside the application."""
    return connected(seeded_url)


def settings_for(url: str) -> Settings:
    return Settings(
        database_url=url,
        amqp_url="amqp://guest:guest@127.0.0.1:1/",
        token_key=TOKEN_KEY,
        routing_key="a routing key for tests",
        sample_password=PASSWORD,
    )


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """The folder of the documents' store."""
    folder = tmp_path / "documents"
    folder.mkdir()
    return folder


@pytest.fixture
def app(seeded_url: str, documents: Path) -> Iterator[FastAPI]:
    settings = settings_for(seeded_url).model_copy(update={"documents_store": str(documents)})
    application = create_app(settings)
    yield application
    application.state.platform.engine.dispose()


@dataclass(frozen=True)
class Chart:
    """A database with two people's records, for tests that only read."""

    url: str
    wang: UUID
    """Known at three campuses; patient.demo's own record."""
    li: UUID


@pytest.fixture(scope="session")
def chart(postgres_url: str, seeded_database: str) -> Iterator[Chart]:
    with database(postgres_url, seeded_database) as url:
        engine = connected(url)
        wang, li = person_of_three_campuses(engine), somebody_else(engine)
        with engine.begin() as connection:
            bind_patient(connection, "patient.demo", wang)
        yield Chart(url, wang, li)


@pytest_asyncio.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client that has not signed in."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://yilian.test") as client:
        yield client


Headers = dict[str, str]
As = Callable[[str], Headers]


@pytest.fixture
def as_() -> As:
    """Headers of a signed-in user."""

    def headers(username: str) -> Headers:
        return {"Authorization": f"Bearer {tokens.issue(username, TOKEN_KEY, datetime.now(UTC))}"}

    return headers
