"""How the API is served, in production and in tests."""

from __future__ import annotations

import logging
from typing import TypedDict

GRACE = 5
"""Seconds that running requests get at the end."""


class Options(TypedDict):
    """Some of uvicorn's options."""

    http: str
    ws: str
    access_log: bool
    log_config: None
    timeout_graceful_shutdown: int


OPTIONS: Options = {
    # Java's own HTTP client offers HTTP/2 (Upgrade: h2c) with every request over plain HTTP; uvicorn's other
    # parser, httptools, loses the body of such a request.
    "http": "h11",
    "ws": "none",
    "access_log": False,
    "log_config": None,
    "timeout_graceful_shutdown": GRACE,
}


def quiet() -> None:
    """Keep the offers of HTTP/2 out of the log: each would be two warnings, and they are declined as HTTP
    has it.
    """
    logging.getLogger("uvicorn.error").addFilter(_telling)


def _telling(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(
        ("Unsupported upgrade request", "No supported WebSocket library")
    )
