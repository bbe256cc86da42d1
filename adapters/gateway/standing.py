"""How the gateway stands, read from its spool by another process."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from adapters.gateway.pending import measure, oldest, read_line
from adapters.gateway.spool import BUSY, FILE, running
from consortium.errors import PermanentError
from runtime.words import words


@dataclass(frozen=True, slots=True)
class Standing:
    """What `status` shows; times are seconds since 1970."""

    running: bool
    state: str
    detail: str
    since: float
    spooled: int
    """Messages and refusals that the hub has not confirmed."""
    spooled_bytes: int
    oldest: float | None
    confirmed: int
    """The highest number that the hub has confirmed."""
    confirmed_at: float | None
    disk_free: int
    spool: str
    """Names the history that the numbers count."""


def standing(folder: Path) -> Standing:
    """Read the spool in a folder. Raises PermanentError when there is none."""
    path = folder / FILE
    try:
        path.stat()
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise PermanentError(
            words(
                f"the spool {path} cannot be read ({reason}): has the gateway run, and as which user?",
                f"无法读取暂存库 {path}（{reason}）：网关是否运行过？由哪个用户运行？",
            )
        ) from error
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=BUSY)) as connection:
            line = read_line(connection)
            count, size = measure(connection)
            first = oldest(connection)
    except sqlite3.Error as error:
        raise PermanentError(f"{path}: {error}") from error
    alive = running(folder)
    return Standing(
        running=alive,
        state=line.state if alive else "stopped",
        detail=line.detail,
        since=line.since,
        spooled=count,
        spooled_bytes=size,
        oldest=first,
        confirmed=line.confirmed,
        confirmed_at=line.confirmed_at,
        disk_free=shutil.disk_usage(folder).free,
        spool=line.spool.hex(),
    )
