"""The rules that decide now, as a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from bus.rules.versions import store
from bus.rules.versions.folder import laid_out


@contextmanager
def deciding(connection: sa.Connection, rules_dir: Path) -> Iterator[Path]:
    """Give a folder that holds the deployed set for as long as the block lasts; `rules_dir` itself before the
    first is deployed. Raises `UnfitFilesError`, OSError.
    """
    digest = store.active_digest(connection)
    if digest is None:
        yield rules_dir
        return
    with laid_out(store.files(connection, digest)) as folder:
        yield folder
