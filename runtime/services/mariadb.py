"""MariaDB for tests of open tables: found on the machine, made, started. The platform itself needs none."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymysql

from runtime import ports, process
from runtime.failure import SetupError
from runtime.process import Command
from runtime.services.privileges import unprivileged
from runtime.waiting import until

SUPERUSER = "yilian"


def locate() -> tuple[Path, Path] | None:
    """Return the server and the program that makes its data folder; None when the machine lacks them."""
    server = shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    maker = shutil.which("mariadb-install-db")
    return (Path(server), Path(maker)) if server and maker else None


@dataclass(frozen=True, slots=True)
class Server:
    """One MariaDB server of ours, on loopback."""

    folder: Path
    """Holds `data`; the server's user owns both."""
    port: int
    password: str

    def url(self, database: str = "") -> str:
        """Return the URL of a database on this server, for its superuser."""
        return f"mariadb://{SUPERUSER}:{self.password}@{ports.LOOPBACK}:{self.port}/{database}"

    @property
    def first(self) -> Path:
        """Statements that the server runs when it starts."""
        return self.folder / "first.sql"

    def create(self, log: Path) -> None:
        """Make the data folder. Raises `SetupError`."""
        server, maker = _located()
        account = unprivileged(server, self.folder)
        self.first.touch(mode=0o600)
        host = f"'{ports.LOOPBACK}'"
        self.first.write_text(
            f"CREATE OR REPLACE USER {SUPERUSER}@{host} IDENTIFIED BY '{self.password}';\n"
            f"GRANT ALL ON *.* TO {SUPERUSER}@{host} WITH GRANT OPTION;\n"
            f"DROP USER IF EXISTS root@localhost, root@{host}, root@'::1';\n",
            encoding="ascii",
        )
        if account.prefix:
            account.own(self.first)
        options = ("--no-defaults", f"--datadir={self.folder / 'data'}", "--skip-test-db")
        with log.open("ab") as out:
            done = subprocess.run(
                (*account.prefix, str(maker), *options, "--auth-root-authentication-method=normal"),
                env=process.environment({}),
                cwd="/",
                stdout=out,
                stderr=out,
                check=False,
            )
        if done.returncode:
            raise SetupError("mariadb-install-db could not make the data folder", "read the log", log)

    def command(self) -> Command:
        """Return how the server is started."""
        server, _ = _located()
        account = unprivileged(server, self.folder)
        options = (
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--init-file={self.first}",
            f"--socket={self.folder / 's'}",
            f"--pid-file={self.folder / 'pid'}",
            f"--bind-address={ports.LOOPBACK}",
            f"--port={self.port}",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--innodb-buffer-pool-size=32M",
            "--innodb-log-file-size=16M",
            "--performance-schema=OFF",
        )
        return Command(
            argv=(*account.prefix, str(server), *options), cwd=Path("/"), whole_group=False, grace=30.0
        )

    def ready(self) -> bool:
        """Return whether the server answers a query."""
        try:
            connection = pymysql.connect(
                host=ports.LOOPBACK,
                port=self.port,
                user=SUPERUSER,
                password=self.password,
                connect_timeout=5,
            )
        except pymysql.Error:
            return False
        connection.close()
        return True


def _located() -> tuple[Path, Path]:
    found = locate()
    if found is None:
        raise SetupError("MariaDB is not installed", "as root: apt-get install mariadb-server")
    return found


@contextmanager
def ephemeral(directory: Path) -> Iterator[str]:
    """Run a server of its own in `directory` for the time of the `with` block; yield a superuser's URL."""
    from runtime.services.install import ensure_mariadb

    ensure_mariadb(print)
    server = Server(directory / "mariadb", ports.any_free(), secrets.token_hex(16))
    log = directory / "mariadb.log"
    server.create(log)
    with process.running(server.command(), log) as started:
        until(lambda: server.ready() or started.poll() is not None, 60)
        if started.poll() is not None or not server.ready():
            raise SetupError("MariaDB did not start", "read the log", log)
        yield server.url()
