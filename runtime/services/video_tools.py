"""What video is set up with, Go and npm: the machine's, else the package index's, locked with hashes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from runtime.failure import SetupError
from runtime.settings import CHECKOUT, home

CHOICES = (
    "put livekit-server on PATH, name it in livekit_bin, name a running server in livekit_url;"
    ' or put Go 1.26 or newer, and npm, on PATH; or set video = "off"'
)
LOCK = CHECKOUT / "requirements" / "video.lock"
Report = Callable[[str], None]


def folder() -> Path:
    """Return where all that belongs to video lies; made if need be, for its owner alone."""
    path = home() / "livekit"
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def program(name: str, usable: Callable[[Path], bool], report: Report, log: Path) -> Path:
    """Return the usable program of that name, the machine's or installed here. Raises `SetupError`."""
    on_path, own = shutil.which(name), folder() / "tools" / "bin" / name
    if on_path and usable(Path(on_path)):
        return Path(on_path)
    if not (own.exists() and usable(own)):
        _install(name, report, log)
    if not usable(own):
        raise SetupError(f"the {name} that was installed does not run: {own}", CHOICES, log)
    return own


def _install(name: str, report: Report, log: Path) -> None:
    uv = shutil.which("uv", path=str(home() / "boot" / "bin")) or shutil.which("uv")
    if uv is None:
        raise SetupError(f"no {name} on PATH that video can be set up with", CHOICES)
    report(f"installing {name} from the package index, to set video up with")
    tools = str(folder() / "tools")
    steps = (
        (uv, "venv", "--quiet", "--clear", "--python", sys.executable, tools),
        (uv, "pip", "install", "--quiet", "--python", tools, "--require-hashes", "-r", str(LOCK)),
    )
    with log.open("ab") as out:
        for step in steps:
            done = subprocess.run(step, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False)
            if done.returncode:
                raise SetupError(f"{name} could not be installed from the package index", CHOICES, log)
