"""`python -m api`: serve on loopback with one worker, until SIGTERM."""

from __future__ import annotations

import uvicorn

from api.app import create_app
from api.serving import OPTIONS, quiet
from bus import tracing
from bus.logging import configure
from runtime.settings import load


def main() -> None:
    """Serve the API."""
    configure("api")
    quiet()
    settings = load()
    tracing.configure("api", settings.otlp_endpoint, settings.trace_ratio)
    uvicorn.run(
        create_app(settings),
        host=settings.api_host,
        port=settings.api_port,
        loop="uvloop",
        server_header=False,
        date_header=True,
        timeout_keep_alive=30,
        **OPTIONS,
    )


if __name__ == "__main__":
    main()
