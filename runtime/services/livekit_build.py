"""Building LiveKit from its source, once: pinned by its sum, everything beneath it by its own go.sum."""

from __future__ import annotations

import fcntl
import json
import re
import subprocess
from pathlib import Path

from runtime import process
from runtime.failure import SetupError
from runtime.services import video_tools
from runtime.services.video_tools import CHOICES, Report
from runtime.settings import home

MODULE = "github.com/livekit/livekit-server"
VERSION = "v1.13.5"
SUM = "h1:HWfxfKvi5k1czMVqLV/htGmPgEBhrqHMxpfyMvfhyVo="
"""The module's sum, as Go's checksum database has it."""
OLDEST_GO = (1, 26)
"""What the module's go.mod asks for."""
_POLITE = ("nice", "-n", "19")
_ALONE = ("-p", "1")
"""One compilation at a time, at the lowest priority: the machine stays usable."""
_BUILD = ("-mod=readonly", "-trimpath", "-ldflags=-s -w")


def target() -> Path:
    """Return where the program lies once it is built."""
    return home() / "livekit" / f"livekit-server-{VERSION}"


def build(report: Report, log: Path, *, waited_for: bool = False) -> Path:
    """Build the program unless it is there; return it. Some minutes of one CPU, once. Raises `SetupError`.

    `waited_for`: somebody waits for it, so it takes what CPU it can get.
    """
    program = target()
    video_tools.folder()
    with (program.parent / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _build(program, report, log, waited_for=waited_for)
    return program


def _build(program: Path, report: Report, log: Path, *, waited_for: bool) -> None:
    go = str(video_tools.program("go", new_enough, report, log))
    report(f"fetching the source of LiveKit {VERSION} by Go's module proxy")
    source = _fetched(go, program.parent, log)
    report(f"building LiveKit {VERSION} from its source, once: some minutes of one CPU")
    aside = program.with_suffix(".new")
    command = (go, "build", *(() if waited_for else _ALONE), *_BUILD, "-o", str(aside), "./cmd/server")
    if _run(command if waited_for else (*_POLITE, *command), source, log) is None:
        raise SetupError("LiveKit could not be built", f"read the log; or {CHOICES}", log)
    aside.rename(program)


def _fetched(go: str, cwd: Path, log: Path) -> Path:
    """Return the folder of the source, whose sum is the pinned one."""
    said = _run((go, "mod", "download", "-json", f"{MODULE}@{VERSION}"), cwd, log)
    if said is None:
        raise SetupError(
            f"Go could not fetch {MODULE}", f"check the connection to a Go module proxy; or {CHOICES}", log
        )
    told = json.loads(said)
    if told["Sum"] != SUM:
        raise SetupError(
            f"the source of LiveKit {VERSION} that came is not the one that is pinned: {told['Sum']}",
            f"see which module proxy Go uses (go env GOPROXY); or {CHOICES}",
            log,
        )
    return Path(told["Dir"])


def _run(command: tuple[str, ...], cwd: Path, log: Path) -> bytes | None:
    """Run a step of Go's; return what it said, or None when it failed. Its complaints go to the log."""
    with log.open("ab") as out:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=process.environment({"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=out,
            check=False,
        )
    return done.stdout if done.returncode == 0 else None


def go_version(said: str) -> tuple[int, int]:
    """Return major and minor of what `go version` says; (0, 0) when it says something else."""
    found = re.search(r"\bgo(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def new_enough(go: Path) -> bool:
    """Return whether that Go runs and can build LiveKit without fetching another Go."""
    try:
        said = subprocess.run(
            (str(go), "version"),
            env=process.environment({"GOTOOLCHAIN": "local"}),
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return go_version(said.stdout) >= OLDEST_GO
