"""PostgreSQL and RabbitMQ under the real supervisor: started, killed, recovered, ended without a rest."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from runtime import generated, ports, process, state
from runtime.plan import Condition
from runtime.process import Identity, alive, send
from runtime.services import rabbitmq
from runtime.services.install import ensure_rabbitmq
from runtime.settings import CHECKOUT, Settings
from runtime.state import State
from runtime.verbs import down
from runtime.waiting import until

pytestmark = pytest.mark.timeout(400)
START = 120.0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith("YILIAN_") and not n.startswith("YILIAN_TEST_")]:
            patch.delenv(name)
        patch.setenv("YILIAN_HOME", str(folder))
        ensure_rabbitmq(print)
        yield folder
        down.stop(state.read())


@pytest.fixture(scope="module")
def settings(home: Path) -> Settings:
    # Far from the defaults, where the platform itself may run.
    chosen = {name: ports.any_free() for name in generated.PORTS}
    generated.write(home / "generated.toml", generated.fill({}, {}, chosen))
    return Settings()


def supervise() -> subprocess.Popen[bytes]:
    return subprocess.Popen(process.python("runtime.supervisor", "rabbitmq", "databases"), cwd=CHECKOUT)


def record() -> State:
    read = state.read()
    assert read is not None
    return read


def ready(started: subprocess.Popen[bytes]) -> bool:
    now = state.read()
    return now is not None and now.supervisor.pid == started.pid and now.ready


@pytest.fixture
def supervisor(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    started = supervise()
    assert until(lambda: ready(started) or started.poll() is not None, START, 0.2)
    assert started.poll() is None
    yield started
    down.stop(state.read())
    started.wait(60)


def members(name: str) -> list[Identity]:
    return [Identity(*m) for m in record().conditions[name].members]


def everything() -> list[Identity]:
    return [Identity(*m) for c in record().conditions.values() for m in c.members]


def keep_a_row(settings: Settings) -> int:
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def restarted(name: str, before: int) -> Callable[[], bool]:
    return lambda: record().conditions[name].restarts > before and record().ready


def test_a_killed_server_comes_back_with_its_data_and_all_ends_without_a_rest(
    supervisor: subprocess.Popen[bytes], settings: Settings, home: Path
) -> None:
    rows = keep_a_row(settings)
    assert rabbitmq.publish_and_get(settings.amqp_url)
    for name in ("postgres", "rabbitmq"):
        first = Identity(record().conditions[name].pid, members(name)[0].start)
        before = record().conditions[name].restarts
        os.kill(first.pid, signal.SIGKILL)
        assert until(restarted(name, before), START, 0.2), record().conditions[name]
    assert keep_a_row(settings) == rows + 1
    assert rabbitmq.publish_and_get(settings.amqp_url)
    all_of_it = everything()
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(60) == 0
    assert not [i for i in all_of_it if alive(i)]
    assert record().leftovers() == set()
    assert not ports.accepts(ports.LOOPBACK, settings.postgres_port)
    assert not ports.accepts(ports.LOOPBACK, settings.epmd_port)


def test_all_listen_on_loopback_only_and_secrets_are_the_owners_alone(
    supervisor: subprocess.Popen[bytes], home: Path
) -> None:
    addresses = {
        listening.laddr.ip
        for identity in everything()
        for listening in psutil.Process(identity.pid).net_connections(kind="tcp")
        if listening.status == psutil.CONN_LISTEN
    }
    assert addresses <= {"127.0.0.1", "::1"}
    for name in ("generated.toml", "rabbitmq/rabbitmq.conf", "rabbitmq/.erlang.cookie", "run/state.json"):
        assert (home / name).stat().st_mode & 0o077 == 0, name


def test_what_a_killed_supervisor_left_is_ended_and_the_next_start_has_the_data(
    supervisor: subprocess.Popen[bytes], settings: Settings
) -> None:
    rows = keep_a_row(settings)
    left = everything()
    send(record().supervisor, signal.SIGKILL)
    supervisor.wait(10)
    assert not record().running
    assert {i for i in left if alive(i)} <= record().leftovers()
    assert ports.accepts(ports.LOOPBACK, settings.postgres_port)
    assert down.stop(record())
    assert not [i for i in left if alive(i)]
    again = supervise()
    assert until(lambda: ready(again), START, 0.2)
    assert keep_a_row(settings) == rows + 1
    again.send_signal(signal.SIGTERM)
    again.wait(60)


def test_a_second_supervisor_of_the_same_home_is_refused(supervisor: subprocess.Popen[bytes]) -> None:
    second = subprocess.run(
        process.python("runtime.supervisor", "postgres"),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 3
    assert "another supervisor runs" in second.stderr
    assert record().running


def test_a_record_of_another_boot_or_a_reused_process_id_is_never_acted_on(settings: Settings) -> None:
    me = process.table()[os.getpid()].identity
    stranger = Identity(me.pid, me.start - 1)
    old = State(supervisor=stranger, mark="0" * 32)
    old.conditions["postgres"] = Condition(members=[(stranger.pid, stranger.start)])
    assert not old.running
    assert old.leftovers() == set()
    old.boot = "another boot"
    assert old.leftovers() == set()
