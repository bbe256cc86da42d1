"""Installing what the machine lacks, as root on Debian; saying what to install otherwise."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from runtime.failure import SetupError
from runtime.services import mariadb, rabbitmq
from runtime.settings import home

_POLICY = Path("/usr/sbin/policy-rc.d")
_DENY = (
    "#!/bin/sh\n# Written by ./yilian while it installs a package, which is to start no service.\nexit 101\n"
)

_SERVICES = {"rabbitmq-server": "rabbitmq-server", "openssh-server": "ssh", "mariadb-server": "mariadb"}
"""The services that packages of ours would start at boot."""
_OTHERS_SECONDS = 300
"""How long another apt-get on the machine is waited for."""
_SEARCHED = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))


def ensure_rabbitmq(report: Callable[[str], None], script: Path | None = None) -> None:
    """See that a RabbitMQ server is on the machine; install Debian's when we may.

    Raises `SetupError` with the choices when it is missing and cannot be installed.
    """
    if rabbitmq.locate(script):
        return
    if script or not may_install():
        raise SetupError(
            "RabbitMQ is not installed" + (f": rabbitmq_server = {script} does not exist" if script else ""),
            "as root: apt-get install rabbitmq-server; or put rabbitmq-server on PATH;"
            " or name a running broker in the setting amqp_url (YILIAN_AMQP_URL)",
        )
    install(["rabbitmq-server"], report)


def ensure(programs: Mapping[str, str], report: Callable[[str], None]) -> None:
    """See that programs, each with the Debian package that brings it, are on the machine.

    Raises `SetupError` naming the command where some are missing and cannot be installed.
    """
    missing = [program for program in programs if not shutil.which(program, path=_SEARCHED)]
    if not missing:
        return
    packages = sorted({programs[program] for program in missing})
    if not may_install():
        raise SetupError(
            f"{', '.join(missing)} not found on PATH", f"as root: apt-get install {' '.join(packages)}"
        )
    install(packages, report)


def may_install() -> bool:
    """Return whether this is a Debian on which we are root."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: Sequence[str], report: Callable[[str], None]) -> None:
    """Install Debian packages whose services are neither started now nor at the next boot; raises
    `SetupError`.
    """
    report(f"installing {' '.join(packages)} by apt-get (no service of the package is started)")
    log = home() / "logs" / "apt.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        apt(["update"], log)
        apt(["install", "-y", "--no-install-recommends", *packages], log)
    if systemctl := shutil.which("systemctl"):
        # A package's own server would come up at the next boot, on its default port, with its own sign-in.
        for service in (_SERVICES[package] for package in packages if package in _SERVICES):
            subprocess.run([systemctl, "disable", service], capture_output=True, check=False)


def ensure_mariadb(report: Callable[[str], None]) -> None:
    """See that a MariaDB server is on the machine, for tests alone; install Debian's when we may.

    Raises `SetupError` when it is missing and cannot be installed.
    """
    if mariadb.locate():
        return
    if not may_install():
        raise SetupError(
            "MariaDB is not installed, and the tests of open tables need it",
            "as root: apt-get install mariadb-server; or name a running one in YILIAN_TEST_MARIADB_URL",
        )
    install(["mariadb-server"], report)


def apt(arguments: list[str], log: Path) -> None:
    """Run apt-get without questions and without starting services; raises `SetupError` when it fails."""
    guarded = not _POLICY.exists()
    if guarded:
        _POLICY.write_text(_DENY, encoding="ascii")
        _POLICY.chmod(0o755)
    try:
        with log.open("ab") as out:
            done = subprocess.run(
                ["apt-get", "-q", "-o", f"DPkg::Lock::Timeout={_OTHERS_SECONDS}", *arguments],
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
