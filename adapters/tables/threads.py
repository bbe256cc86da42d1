"""Cutting a blocking call of a database's driver short."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any


def cut(driver: Any) -> None:
    """Cut a driver's line to the database, from whichever thread.

    Its transaction is rolled back, or was committed. Where a driver shows no socket, its own timeouts end the
    call.
    """
    descriptor = _descriptor(driver)
    if descriptor is None:
        return
    with (
        contextlib.suppress(OSError),
        socket.socket(fileno=os.dup(descriptor)) as line,
    ):  # it may be closed already
        line.shutdown(socket.SHUT_RDWR)


def _descriptor(driver: Any) -> int | None:
    try:
        if hasattr(driver, "fileno"):  # psycopg
            return int(driver.fileno())
        line = getattr(driver, "_sock", None)  # PyMySQL
        return None if line is None else int(line.fileno())
    except Exception:  # noqa: BLE001 - the driver's own error for a connection that is closed
        return None
