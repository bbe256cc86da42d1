"""The process that the supervisor knows as `livekit`: sees to program and script, then becomes the server.

What it does, or why it cannot, is one line in `livekit/standing` of the home folder: `status` shows it.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from runtime import log, process
from runtime.failure import SetupError
from runtime.services import livekit, livekit_build, room_script, video_tools
from runtime.settings import Settings, home, load

AGAIN = 600.0
"""Seconds until what could not be had is tried again."""


def standing() -> str:
    """Return what it does or why it cannot; empty once the server is on its way."""
    try:
        return _standing().read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def _standing() -> Path:
    return home() / "livekit" / "standing"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
    video_tools.folder()
    _standing().write_text(line + "\n", encoding="utf-8")


def program(settings: Settings) -> Path:
    """Return the server's program: given, of the machine, or built here. Raises `SetupError`."""
    out = log.path("livekit")
    room_script.ensure(_tell, out)
    if found := livekit.locate(settings.livekit_bin):
        return found
    if settings.livekit_bin:
        raise SetupError(f"livekit_bin = {settings.livekit_bin} does not exist", video_tools.CHOICES)
    return livekit_build.build(_tell, out)


def main() -> None:
    """See to the program, however often that has to be tried, then become the server."""
    settings = load()
    found: Path | None = None
    while found is None:
        try:
            found = program(settings)
        except SetupError as error:
            _tell(" ".join(str(error).split()))
            time.sleep(AGAIN)
    _standing().unlink(missing_ok=True)
    command = livekit.server(settings).command(found)
    os.execve(command.argv[0], command.argv, process.environment(command.environment))  # noqa: S606 - no shell


if __name__ == "__main__":
    main()
