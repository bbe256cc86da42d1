"""Databases at one migration and another."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.conftest import CHECKOUT, database


def alembic(url: str, *command: str) -> None:
    """Run alembic on a database."""
    subprocess.run([sys.executable, "-m", "alembic", "-x", f"url={url}", *command], cwd=CHECKOUT, check=True)


@contextmanager
def taken_back(postgres_url: str, revision: str) -> Iterator[str]:
    """Have a database on which a migration was made and taken back; yield its URL."""
    with database(postgres_url) as url:
        alembic(url, "upgrade", revision)
        alembic(url, "downgrade", f"{revision}-1")
        yield url
