"""Which test left a socket open, and where it was made: said at the end of the run, and closed.

A warning at collection time names neither, and comes when it comes.
"""

from __future__ import annotations

import gc
import socket
import traceback
from typing import Any

import pytest

FRAMES = 12
_made: dict[int, str] = {}
_init = socket.socket.__init__


def _remembering(self: socket.socket, *args: Any, **kwargs: Any) -> None:
    _init(self, *args, **kwargs)
    _made[id(self)] = "".join(traceback.format_list(traceback.extract_stack(limit=FRAMES)[:-1]))


def left_open() -> list[tuple[socket.socket, str]]:
    """Return the sockets of this process that nobody closed, each with where it was made."""
    # By its type: `isinstance` asks what a weak proxy stands for, which may be gone.
    every = [thing for thing in gc.get_objects() if issubclass(type(thing), socket.socket)]
    return [(thing, _made.get(id(thing), "")) for thing in every if thing.fileno() != -1]


def pytest_configure() -> None:
    """Remember from now on."""
    socket.socket.__init__ = _remembering  # type: ignore[method-assign]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what is open still, and close it."""
    for thing, made in left_open():
        terminalreporter.section("a socket was left open")
        terminalreporter.write_line(f"{thing!r}\n{made}")
        thing.close()
