"""Blocking calls of database drivers, beside the event loop and never in the way of the process's end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")


async def in_thread(call: Callable[[], Result]) -> Result:
    """Run a blocking call in a thread of its own and return what it returns.

    The thread is a daemon: a call that hangs does not hold up a process that is told to end, as one in the
    loop's own pool would. Cancelled, the call goes on; see `cut`.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def done(result: Result | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # without an error there is a result

    def run() -> None:
        result: Result | None = None
        failure: BaseException | None = None
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is awaited
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(done, result, failure)

    threading.Thread(target=run, name="tables", daemon=True).start()
    return await future


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
