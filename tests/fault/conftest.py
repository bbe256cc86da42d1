"""Servers that the fault tests may kill."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fault.servers import Servers, servers


@pytest.fixture(scope="session")
def killable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A PostgreSQL and a RabbitMQ of our own: never the ones that other tests use."""
    with servers(tmp_path_factory.mktemp("servers")) as started:
        yield started
