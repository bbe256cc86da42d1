"""Installing what the machine lacks, as root on Debian; saying what to install otherwise."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from runtime.failure import SetupError
from runtime.services import mariadb, rabbitmq
from runtime.settings import home

_POLICY = Path("/usr/sbin/policy-rc.d")
_DENY = (
    "#!/bin/sh\n# Written by ./yilian while it installs a package, which is to start no service.\nexit 101\n"
)


def ensure_rabbitmq(report: Callable[[str], None], script: Path | None = None) -> None:
    """See that a RabbitMQ server is on the machine; install Debian's when we may.

    Raises `SetupError` with the choices when it is missing and cannot be installed.
    """
    if rabbitmq.locate(script):
        return
    if script or os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SetupError(
            "RabbitMQ is not installed" + (f": rabbitmq_server = {script} does not exist" if script else ""),
            "as root: apt-get install rabbitmq-server; or put rabbitmq-server on PATH;"
            " or name a running broker in the setting amqp_url (YILIAN_AMQP_URL)",
        )
    _install("rabbitmq-server", report)


def ensure_mariadb(report: Callable[[str], None]) -> None:
    """See that a MariaDB server is on the machine, for tests alone; install Debian's when we may.

    Raises `SetupError` when it is missing and cannot be installed.
    """
    if mariadb.locate():
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SetupError(
            "MariaDB is not installed, and the tests of open tables need it",
            "as root: apt-get install mariadb-server; or name a running one in YILIAN_TEST_MARIADB_URL",
        )
    _install("mariadb-server", report, "mariadb")


def _install(package: str, report: Callable[[str], None], service: str = "") -> None:
    report(f"installing {package} by apt-get (no service of the package is started)")
    log = home() / "logs" / "apt.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    apt(["update"], log)
    apt(["install", "-y", "--no-install-recommends", package], log)
    if systemctl := shutil.which("systemctl"):
        # The package's own server would come up at the next boot, on the default ports.
        subprocess.run([systemctl, "disable", service or package], capture_output=True, check=False)


def apt(arguments: list[str], log: Path) -> None:
    """Run apt-get without questions and without starting services; raises `SetupError` when it fails."""
    guarded = not _POLICY.exists()
    if guarded:
        _POLICY.write_text(_DENY, encoding="ascii")
        _POLICY.chmod(0o755)
    try:
        with log.open("ab") as out:
            done = subprocess.run(
                ["apt-get", "-q", *arguments],
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                check=False,
            )
    finally:
        if guarded:
            with suppress(FileNotFoundError):
                _POLICY.unlink()
    if done.returncode:
        command = "apt-get " + " ".join(arguments)
        raise SetupError(f"{command} failed (exit {done.returncode})", f"run it yourself: {command}", log)
