"""A served SOAP adapter."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from adapters.soap.server import create_app
from adapters.uploads import UploadSettings
from tests.integration.adapters.serving import authenticate, serving

LIMIT = 200_000


@pytest.fixture(scope="module")
def served(module_database_url: str) -> Iterator[str]:
    """URL of /soap."""
    settings = UploadSettings(frozenset({"HP", "MAIN"}), body_limit=LIMIT, name="yilian-1.2.3")
    with serving(
        module_database_url, lambda inbox: create_app(inbox, settings, authenticate), "/soap"
    ) as url:
        yield f"{url}/soap"


@pytest.fixture
def origin(served: str, database: psycopg.Connection) -> str:
    """URL of /soap, nothing sent yet."""
    return served
