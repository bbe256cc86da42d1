"""Staff, an expert and slots in a fresh database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from consortium.scheduling import resources
from consortium.scheduling.model import Resource

NINE = (datetime.now(UTC) + timedelta(days=7)).replace(hour=1, minute=0, second=0, microsecond=0)
"""When the first slot begins: bookings are of times to come."""
HALF_AN_HOUR = timedelta(minutes=30)
STAFF = ("chen", "li", "wang", "zhao")

Slots = Callable[..., list[UUID]]


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """A pool, for tests in which many wait for one another."""
    url = database_url.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = sa.create_engine(url, pool_size=20, max_overflow=0, pool_timeout=120)
    with engine.begin() as connection:
        for username in STAFF:
            connection.execute(
                sa.text(
                    "INSERT INTO access.account (username, display_name, role, organisation, password_hash)"
                    " VALUES (:username, :username, 'doctor', 'MAIN', 'none')"
                ),
                {"username": username},
            )
    yield engine
    engine.dispose()


@pytest.fixture
def expert(engine: sa.Engine) -> Resource:
    with engine.begin() as connection:
        return resources.add(connection, "MAIN", "expert", "心内科 远程会诊", by="zhao", username="chen")


@pytest.fixture
def slots(engine: sa.Engine, expert: Resource) -> Slots:
    """Publish so many half hours of a resource, of the expert by default; return their ids."""

    def publish(number: int, resource: Resource = expert) -> list[UUID]:
        times = [(NINE + n * HALF_AN_HOUR, NINE + (n + 1) * HALF_AN_HOUR) for n in range(number)]
        with engine.begin() as connection:
            return [slot.id for slot in resources.publish(connection, resource.id, times, by="zhao")]

    return publish


def subject() -> str:
    return f"consultation-{uuid4()}"
