"""OpenSSH's own server on loopback, with keys of its own and, for root, an account for the run alone."""

from __future__ import annotations

import getpass
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import psutil
import pytest

from runtime import ports
from runtime.failure import SetupError
from runtime.services.install import ensure
from runtime.settings import FilePlace
from runtime.waiting import until

CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host.key
AuthorizedKeysFile {folder}/authorized
AllowUsers {user}
PasswordAuthentication {passwords}
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PidFile none
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""


def program() -> str:
    """Return sshd; the test is skipped, with the reason, where there is none."""
    try:
        ensure({"sshd": "openssh-server"}, print)
    except SetupError as error:
        pytest.skip(f"OpenSSH's server is needed: {error} ({error.do})")
    return shutil.which("sshd") or "/usr/sbin/sshd"


@dataclass(frozen=True)
class Account:
    """Who signs in."""

    name: str
    password: str
    """Empty where we may not give one."""
    uid: int
    gid: int


@contextmanager
def account() -> Iterator[Account]:
    """Give an account with a password as root; else ourselves, by key alone."""
    if os.geteuid() != 0:
        yield Account(getpass.getuser(), "", os.getuid(), os.getgid())
        return
    name, password = f"yilian-{os.getpid()}", secrets.token_urlsafe(16)
    subprocess.run(["useradd", "--no-create-home", "--shell", "/usr/sbin/nologin", name], check=True)
    try:
        subprocess.run(["chpasswd"], input=f"{name}:{password}", text=True, check=True)
        entry = pwd.getpwnam(name)
        yield Account(name, password, entry.pw_uid, entry.pw_gid)
    finally:
        subprocess.run(["userdel", name], check=True)


class Server:
    """sshd over a drop folder. Only processes that were started here are ever ended."""

    def __init__(self, program: str, folder: Path, account: Account) -> None:
        self.folder, self.account = folder, account
        self.port = ports.any_free()
        self.drop = folder / "drop"
        self.drop.mkdir()
        os.chown(self.drop, account.uid, account.gid)
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._client_key = folder / "client.key"
        self._write()

    def _write(self) -> None:
        host, client = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
        for key, name in ((host, "host.key"), (client, "client.key")):
            (self.folder / name).touch(mode=0o600)
            key.write_private_key(self.folder / name)
        client.write_public_key(self.folder / "authorized")
        (self.folder / "authorized").chmod(0o644)
        self._host_key = host.export_public_key().decode().strip()
        passwords = "yes" if self.account.password else "no"
        text = CONFIG.format(port=self.port, folder=self.folder, user=self.account.name, passwords=passwords)
        (self.folder / "sshd_config").write_text(text, encoding="utf-8")

    def place(self, *, password: bool = False) -> FilePlace:
        """Return the setting that leads here."""
        url = f"sftp://{self.account.name}@127.0.0.1:{self.port}{self.drop}"
        if password:
            return FilePlace(url=url, host_key=self._host_key, password=self.account.password)
        return FilePlace(url=url, host_key=self._host_key, key_file=self._client_key)

    def start(self) -> None:
        """Serve; again on the same port after `kill`."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(
                mode=0o755, exist_ok=True
            )  # sshd's empty folder, as its own service makes it
        with (self.folder / "sshd.log").open("ab") as log:
            command = [self._program, "-D", "-e", "-f", str(self.folder / "sshd_config")]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        process = self._process
        until(lambda: ports.accepts("127.0.0.1", self.port) or process.poll() is not None, 20)
        assert process.poll() is None, (self.folder / "sshd.log").read_text()

    def kill(self) -> None:
        """Kill it and the processes of its sessions, as a machine that loses its power."""
        assert self._process is not None
        mine = psutil.Process(self._process.pid)
        for one in (mine, *mine.children(recursive=True)):
            one.kill()
        self._process.wait(10)
        self._process = None

    def stop(self) -> None:
        """Kill it where it runs."""
        if self._process is not None:
            self.kill()


@contextmanager
def serving() -> Iterator[Server]:
    """Run sshd until the block ends."""
    found = program()
    folder = Path(tempfile.mkdtemp(prefix="yilian-sshd-"))
    folder.chmod(0o755)  # the account passes through
    try:
        with account() as who:
            server = Server(found, folder, who)
            server.start()
            try:
                yield server
            finally:
                server.stop()
    finally:
        shutil.rmtree(folder)
