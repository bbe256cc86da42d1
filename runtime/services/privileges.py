"""Running a server that refuses root as somebody else."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from runtime.failure import SetupError

_CAPABILITIES = (
    "--securebits=+no_setuid_fixup",
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=-all,+dac_read_search",
    "--bounding-set=-all,+dac_read_search",
)
"""Lets the user pass through folders that only root may enter (a checkout under /root), and nothing else.

access(2), by which PostgreSQL looks for its own programs, drops the capabilities of a user other than root
unless the securebit says otherwise.
"""


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs the server: the words before its command, and whose files they are."""

    prefix: tuple[str, ...] = ()
    uid: int = -1
    gid: int = -1

    def own(self, path: Path) -> None:
        """Give a file or folder to that user."""
        os.chown(path, self.uid, self.gid)


def unprivileged(program: Path, folder: Path) -> Account:
    """Return an account that can run `program` and work in `folder` (created for it, mode 700).

    Not root: as we are. Root: as `postgres`, else `nobody`; locked parent folders are passed by a capability.
    Raises `SetupError` when neither way works.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if os.geteuid() != 0:
        return Account()
    entry = _user()
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    setpriv = shutil.which("setpriv")
    if not setpriv:
        raise SetupError(
            f"{program.name} refuses to run as root, and setpriv (package util-linux) is missing",
            "run ./yilian as an ordinary user, install util-linux, or set database_url",
        )
    drop = (setpriv, f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups")
    for prefix in (drop, (*drop, *_CAPABILITIES)):
        if _works(prefix, program, folder):
            return Account(prefix, entry.pw_uid, entry.pw_gid)
    raise SetupError(
        f"the user {entry.pw_name} can reach neither {program} nor {folder}",
        "run ./yilian as an ordinary user, or set YILIAN_HOME to a folder that every user may enter",
    )


def _user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise SetupError(
        "PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody",
        "create one (adduser --system postgres), or run ./yilian as an ordinary user",
    )


def _works(prefix: tuple[str, ...], program: Path, folder: Path) -> bool:
    check = 'test -w "$1" && test -x "$1" && "$0" --version'
    done = subprocess.run(
        (*prefix, "/bin/sh", "-c", check, str(program), str(folder)),
        capture_output=True,
        cwd="/",
        check=False,
    )
    return done.returncode == 0
