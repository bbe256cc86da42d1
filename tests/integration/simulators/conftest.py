"""The platform's doors, for the simulated campuses to knock at."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator

import pytest
import sqlalchemy as sa

from adapters.mllp.server import Listener
from adapters.mllp.settings import MllpSettings
from api.app import create_app
from bus.inbox import Inbox
from consortium.access.seed import seed_sample_users
from runtime.settings import Settings
from tests.serving import served

PASSWORD = "sample-password"


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Settings for ports that are free now."""
    with socket.socket() as mllp, socket.socket() as api:
        mllp.bind(("127.0.0.1", 0))
        api.bind(("127.0.0.1", 0))
        return Settings(
            database_url=database_url,
            mllp_port=mllp.getsockname()[1],
            api_port=api.getsockname()[1],
            token_key="k" * 48,
            routing_key="r" * 32,
            sample_password=PASSWORD,
        )


@pytest.fixture
async def listener(settings: Settings) -> AsyncIterator[Listener]:
    """The MLLP listener with the real inbox."""
    async with Inbox(settings.database_url, settings.routing_key) as inbox:
        listener = Listener(MllpSettings.of(settings), inbox)
        await listener.start()
        yield listener
        await listener.stop()


@pytest.fixture
def api(settings: Settings) -> Iterator[None]:
    """The API with its SOAP and REST uploads, and the sample users."""
    engine = sa.create_engine(sa.make_url(settings.database_url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        seed_sample_users(connection, PASSWORD)
    engine.dispose()
    with served(create_app(settings), settings.api_port):
        yield
