"""The delivery process itself."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from runtime.settings import CHECKOUT

SECRET = {"DELIVERY_SECRETS__HOOK": "a shared secret"}
"""The setting that a destination `hook` needs."""


def destinations(folder: Path, **files: str) -> Path:
    """Write files of destinations below a folder; returns it."""
    (folder / "destinations").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / "destinations" / f"{name}.yaml").write_text(text)
    return folder


@asynccontextmanager
async def delivery(
    url: str, rules: Path, home: Path, **settings: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m bus.delivery`; ended by SIGTERM within its ten seconds unless it has ended.

    `settings` as they are named in the environment, without YILIAN_.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(CHECKOUT),
        "YILIAN_HOME": str(home),
        "YILIAN_DATABASE_URL": url,
        "YILIAN_RULES_DIR": str(rules),
        **{f"YILIAN_{name}": value for name, value in settings.items()},
    }
    with (home / "delivery.log").open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bus.delivery", cwd=CHECKOUT, env=environment, stderr=out
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                assert await process.wait() == 0
