"""RabbitMQ: found on the machine, configured for loopback, started, asked."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pika
import pika.exceptions

from runtime import ports, process
from runtime.ask import FAILURES, ask
from runtime.failure import SetupError
from runtime.process import Command
from runtime.waiting import until

PLUGINS = ("rabbitmq_management", "rabbitmq_prometheus", "rabbitmq_consistent_hash_exchange")
USER = "yilian"
_DEBIAN = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_MEBIBYTE = 1024 * 1024


def locate(script: Path | None = None) -> Path | None:
    """Return the script that starts the broker: the given, or that on PATH or of Debian's package.

    Debian's wrapper on PATH, which changes the user, is passed over for the script beneath it.
    """
    if script:
        return script if script.exists() else None
    on_path = shutil.which("rabbitmq-server")
    if on_path and (real := Path(on_path).resolve()).name == "rabbitmq-server":
        return real
    return _DEBIAN if _DEBIAN.exists() else None


@dataclass(frozen=True, slots=True)
class Server:
    """One RabbitMQ node of ours; everything it opens is on loopback."""

    folder: Path
    port: int
    ui_port: int
    prometheus_port: int
    distribution_port: int
    epmd_port: int
    password: str
    script: Path | None = None

    @property
    def node(self) -> str:
        """The node's name, one for each home folder."""
        return f"yilian-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]}@localhost"

    @property
    def amqp_url(self) -> str:
        """The broker's URL with credentials."""
        return f"amqp://{USER}:{quote(self.password, safe='')}@{ports.LOOPBACK}:{self.port}/%2f"

    @property
    def management_url(self) -> str:
        """The management API's URL with credentials."""
        return f"http://{USER}:{quote(self.password, safe='')}@{ports.LOOPBACK}:{self.ui_port}"

    def create(self) -> None:
        """Write the configuration, plugins and cookie; the broker makes its own user at its first start."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.folder / "conf.d").mkdir(exist_ok=True)
        _write(self.folder / "plugins", f"[{','.join(PLUGINS)}].\n")
        _write(self.folder / "rabbitmq.conf", self._configuration())
        cookie = self.folder / ".erlang.cookie"
        if not cookie.exists():
            _write(cookie, secrets.token_hex(20))
            cookie.chmod(0o400)

    def _configuration(self) -> str:
        return "".join(
            f"{name} = {value}\n"
            for name, value in {
                "listeners.tcp.1": f"{ports.LOOPBACK}:{self.port}",
                "management.tcp.ip": ports.LOOPBACK,
                "management.tcp.port": self.ui_port,
                "prometheus.tcp.ip": ports.LOOPBACK,
                "prometheus.tcp.port": self.prometheus_port,
                "default_user": USER,
                "default_pass": self.password,
                "log.console": "true",
                "log.console.level": "info",
                "log.console.use_colors": "off",
                "log.connection.level": "warning",  # every health check is a connection
                "log.file": "false",
                "vm_memory_high_watermark.relative": "0.2",
                "disk_free_limit.absolute": "256MB",
                # 512 MiB by default, held in memory until it is full.
                "raft.wal_max_size_bytes": 64 * _MEBIBYTE,
            }.items()
        )

    def environment(self) -> dict[str, str]:
        """Return the variables that keep the broker and its tools within this folder and on loopback."""
        return {
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(self.folder / "conf.d"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": ports.LOOPBACK,
            "ERL_CRASH_DUMP": "/dev/null",  # a dump holds message bodies
            "RUNNING_UNDER_SYSTEMD": "true",  # the VM itself, without a shell around it
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
            " -kernel inet_dist_use_interface {127,0,0,1}",
        }

    def command(self) -> Command:
        """Return how the broker is started. Raises `SetupError` when there is none on the machine."""
        script = locate(self.script)
        if script is None:
            raise SetupError(
                "no RabbitMQ server was found"
                + (f" at rabbitmq_server = {self.script}" if self.script else ""),
                "apt-get install rabbitmq-server, or put rabbitmq-server on PATH, or name its script in"
                " rabbitmq_server, or name a running broker in amqp_url",
            )
        return Command((str(script),), self.environment(), cwd=self.folder, whole_group=False, grace=25.0)

    def epmd_command(self) -> Command:
        """Return how Erlang's port mapper is started: in the foreground, not as a daemon."""
        program = shutil.which("epmd")
        if program is None:
            raise SetupError("Erlang's epmd is not on PATH", "apt-get install erlang-base, or put it on PATH")
        argv = (program, "-address", ports.LOOPBACK, "-port", str(self.epmd_port))
        return Command(argv, cwd=Path("/"), stop_signal=signal.SIGTERM, grace=3.0)

    def ready(self) -> bool:
        """Return whether the broker carries a message and its management API answers.

        Knocks before it asks: of a closed port the client library writes pages, and leaves its socket open.
        """
        if not ports.accepts(ports.LOOPBACK, self.port):
            return False
        try:
            publish_and_get(self.amqp_url)
        except (pika.exceptions.AMQPError, OSError):
            return False
        return management_answers(self.ui_port)


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def management_answers(port: int) -> bool:
    """Return whether the management interface serves its page."""
    try:
        ask(ports.LOOPBACK, port, "/", timeout=5)
    except FAILURES:
        return False
    return True


def publish_and_get(url: str) -> str:
    """Send a message through the broker, confirmed, and take it out again; return what is worth telling.

    Raises `pika.exceptions.AMQPError` or `OSError` when the broker does not answer or loses it.
    """
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.blocked_connection_timeout = parameters.stack_timeout = 10
    parameters.client_properties = {"connection_name": "health"}
    connection = pika.BlockingConnection(parameters)
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        queue = channel.queue_declare("", exclusive=True, auto_delete=True).method.queue
        channel.basic_publish("", queue, os.urandom(8), mandatory=True)
        method, _, _ = channel.basic_get(queue, auto_ack=True)
        if method is None:
            raise pika.exceptions.AMQPError("the health message did not come back")
    finally:
        if connection.is_open:
            connection.close()
    return "a message went through"


@contextmanager
def ephemeral(directory: Path) -> Iterator[tuple[str, str]]:
    """Run a broker of its own in `directory` for the `with` block; yield (AMQP URL, management URL)."""
    from runtime.services.install import ensure_rabbitmq

    ensure_rabbitmq(print)
    free = [ports.any_free() for _ in range(5)]
    server = Server(
        directory / "rabbitmq", free[0], free[1], free[2], free[3], free[4], secrets.token_urlsafe(16)
    )
    log = directory / "rabbitmq.log"
    server.create()
    with process.running(server.epmd_command(), log), process.running(server.command(), log) as started:
        until(lambda: server.ready() or started.poll() is not None, 90, interval=0.2)
        if started.poll() is not None or not server.ready():
            raise SetupError("RabbitMQ did not start", "read the log", log)
        yield server.amqp_url, server.management_url
