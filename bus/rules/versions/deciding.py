"""The rules that decide now, as a folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from bus.rules.versions import store
from bus.rules.versions.folder import laid_out


@contextmanager
def deciding(connection: sa.Connection, rules_dir: Path, below: tuple[str, ...] = ("",)) -> Iterator[Path]:
    """Give a folder that holds the deployed set for as long as the block lasts; `rules_dir` itself before the
    first is deployed. With `below` the deployed set's files are there alone whose path begins so.
    Raises `UnfitFilesError`, OSError.
    """
    digest = store.active_digest(connection)
    if digest is None:
        yield rules_dir
        return
    with stored(connection, digest, below) as folder:
        yield folder


@contextmanager
def stored(connection: sa.Connection, digest: str, below: tuple[str, ...] = ("",)) -> Iterator[Path]:
    """Give a folder that holds a stored set, or what of it lies `below`, for as long as the block lasts.

    Raises `UnfitFilesError`, OSError.
    """
    files = store.files(connection, digest, below)
    with laid_out(files) if files else tempfile.TemporaryDirectory(prefix="yilian-rules-") as folder:
        yield Path(folder)
