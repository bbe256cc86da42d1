"""`python -m api`: serve on loopback with one worker, until SIGTERM."""

from __future__ import annotations

import uvicorn

from api.app import create_app
from bus import tracing
from bus.logging import configure
from runtime.settings import load

GRACE = 5
"""Seconds that running requests get at the end."""


def main() -> None:
    """Serve the API."""
    configure("api")
    settings = load()
    tracing.configure("api", settings.otlp_endpoint, settings.trace_ratio)
    uvicorn.run(
        create_app(settings),
        host=settings.api_host,
        port=settings.api_port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=30,
        ws="none",
    )


if __name__ == "__main__":
    main()
