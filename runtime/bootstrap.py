"""The launcher's first half: makes the Python environment, then runs the command line in it.

Runs under a bare Python 3.11 with nothing but the standard library. Every step may be interrupted
and is done again by the next call; a step that was finished is known by a stamp, written last.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
HOME = Path(os.environ.get("YILIAN_HOME") or CHECKOUT / ".yilian").absolute()
LOCKS = CHECKOUT / "requirements"
BOOT = HOME / "boot"
VENV = HOME / "venv"
LOG = HOME / "logs" / "setup.log"
Command = list[str | Path]


class BootstrapError(Exception):
    """A step failed: what, and what to do."""

    def __init__(self, what: str, do: str) -> None:
        """Keep both sentences."""
        super().__init__(what)
        self.do = do


def say(text: str) -> None:
    """Tell the person at the terminal; the answer of a command stays alone on standard output."""
    print(f"yilian: {text}", file=sys.stderr, flush=True)


def digest(*files: Path) -> str:
    """Return what an environment made of these lock files by this Python is known by."""
    state = hashlib.sha256(repr(sys.version_info[:2]).encode())
    for file in files:
        state.update(file.read_bytes())
    return state.hexdigest()


def stamped(stamp: Path, wanted: str) -> bool:
    """Return whether that step was finished for that digest."""
    try:
        return stamp.read_text(encoding="ascii") == wanted
    except (FileNotFoundError, UnicodeDecodeError):
        return False


def run(what: str, command: Sequence[str | Path], do: str, environment: dict[str, str] | None = None) -> None:
    """Do one step: say it, show its output and keep it in the log, say how long it took.

    Raises `BootstrapError` when it fails.
    """
    say(f"{what} …")
    began = time.monotonic()
    with LOG.open("ab") as log:
        log.write(f"--- {what}: {' '.join(map(str, command))}\n".encode())
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
        ) as process:
            try:
                for line in process.stdout or ():
                    log.write(line)
                    log.flush()
                    if not line.startswith(
                        (b" + ", b" - ", b" ~ ")
                    ):  # one line for each of some 250 packages
                        sys.stderr.write("  " + line.decode(errors="replace"))
            except KeyboardInterrupt:
                process.terminate()  # or it would go on beside the next call
                raise
        code = process.returncode
    if code:
        raise BootstrapError(f"{what}: failed with exit code {code}", do)
    say(f"{what}: done in {time.monotonic() - began:.0f} s")


def see_to_venv() -> None:
    """See that this Python can make environments: Debian ships venv and pip apart from it."""
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise BootstrapError(
            "this Python cannot make environments: it lacks venv or ensurepip",
            f"as root: apt-get update && apt-get install -y {package}; then the same command again",
        )
    say(f"this Python lacks venv or ensurepip; installing {package} by apt-get, as you are root")
    hint = f"run it yourself: apt-get update && apt-get install -y {package}"
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get update", ["apt-get", "-q", "update"], hint, quiet)
    run(
        f"apt-get install {package}",
        ["apt-get", "-q", "install", "-y", "--no-install-recommends", package],
        hint,
        quiet,
    )


def see_to_uv() -> Path:
    """See that the pinned uv is there, in an environment of its own; return it."""
    lock, uv = LOCKS / "boot.lock", BOOT / "bin" / "uv"
    wanted = digest(lock)
    if stamped(BOOT / "stamp", wanted) and uv.exists():
        return uv
    see_to_venv()
    shutil.rmtree(BOOT, ignore_errors=True)
    network = (
        "check the connection to the package index (PyPI, or the mirror in pip's configuration), then again"
    )
    run("making the set-up environment", [sys.executable, "-m", "venv", BOOT], "read the log, then again")
    pip: Command = [
        BOOT / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--no-input",
        "--disable-pip-version-check",
    ]
    run("installing uv", [*pip, "--quiet", "--require-hashes", "-r", lock], network)
    (BOOT / "stamp").write_text(wanted, encoding="ascii")
    return uv


def uv_environment() -> dict[str, str]:
    """Return uv's environment: pip's index and certificates, where a person has set these for pip alone."""
    environment = {
        k: v for k, v in os.environ.items() if k not in {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"}
    }
    environment["UV_NO_PROGRESS"] = "1"
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    asked = {"UV_DEFAULT_INDEX": "global.index-url", "SSL_CERT_FILE": "global.cert"}
    for variable, option in asked.items():
        if variable in environment or (variable == "UV_DEFAULT_INDEX" and "UV_INDEX_URL" in environment):
            continue
        answer = subprocess.run(
            [BOOT / "bin" / "python", "-m", "pip", "config", "get", option],
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode == 0 and answer.stdout.strip():
            environment[variable] = answer.stdout.strip()
    return environment


def see_to_environment(tests: bool) -> None:
    """See that the environment holds what the lock files name (`tests`: test tools too)."""
    steps = [("run", LOCKS / "run.lock", VENV / ".run.stamp")]
    if tests:
        steps.append(("test", LOCKS / "test.lock", VENV / ".test.stamp"))
    todo = [step for step in steps if not stamped(step[2], digest(step[1]))]
    if not todo and works():
        return
    uv = see_to_uv()
    environment = uv_environment()
    if not works():
        make: Command = [uv, "venv", "--clear", "--python", sys.executable, VENV]
        run("making the Python environment", make, "read the log, then again", environment)
        todo = steps
    for name, lock, stamp in todo:
        install: Command = [
            uv,
            "pip",
            "install",
            "--python",
            VENV / "bin" / "python",
            "--require-hashes",
            "-r",
            lock,
        ]
        hint = "check the connection to the package index and the free space on disk, then again"
        run(f"installing the packages of {lock.relative_to(CHECKOUT)}", install, hint, environment)
        stamp.write_text(digest(lock), encoding="ascii")
        if name == "test":
            (VENV / ".run.stamp").write_text(digest(LOCKS / "run.lock"), encoding="ascii")


def works() -> bool:
    """Return whether the environment's Python runs and is of our version."""
    check = f"import sys; raise SystemExit(sys.version_info[:2] != {sys.version_info[:2]!r})"
    try:
        return (
            subprocess.run(
                [VENV / "bin" / "python", "-c", check], capture_output=True, check=False
            ).returncode
            == 0
        )
    except OSError:
        return False


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Wait until no other call sets up this home."""
    with (HOME / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another call is setting up; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:  # noqa: RET503 - execv does not return
    """Make the environment if needed, then become the command line."""
    arguments = sys.argv[1:]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        LOG.parent.mkdir(parents=True, exist_ok=True)
        with alone():
            # FEBRL, which `bench identity` measures, comes with a package of the tests
            tests = arguments[:1] == ["test"] or arguments[:2] == ["bench", "identity"]
            see_to_environment(tests)
    except BootstrapError as error:
        say(f"{error}\n  what to do: {error.do}\n  log: {LOG}")
        return 1
    except OSError as error:
        say(f"{error}\n  what to do: see that {HOME} can be written, or set YILIAN_HOME to a folder that can")
        return 1
    except KeyboardInterrupt:
        say("interrupted; the same command goes on from here")
        return 130
    os.environ["PATH"] = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    os.environ["PYTHONPATH"] = str(CHECKOUT)
    os.environ.pop("PYTHONHOME", None)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    python = str(VENV / "bin" / "python")
    os.execv(python, [python, "-m", "runtime.cli", *arguments])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    sys.exit(main())
