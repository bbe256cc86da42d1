"""Alerts on a real database: raised once, cleared once, told by webhook and mail."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from bus import tending
from bus.alerts import console, delivery, store
from bus.alerts.conditions import Limits, Reading
from bus.alerts.delivery import Mail
from bus.finding import Filters
from bus.replay import run
from bus.replay.ledger import Who
from consortium.errors import ConflictError, PermanentError
from runtime import settings
from runtime.settings import Settings
from runtime.tended import tended
from tests.integration.bus.clinic import KEY, engine_of, hl7, lab, rows, states
from tests.integration.bus.clinic import store as send_in


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = engine_of(database_url)
    yield engine
    engine.dispose()


def settled(
    engine: sa.Engine, *readings: Reading, channels: tuple[str, ...] = ()
) -> tuple[list[int], list[int]]:
    with engine.begin() as connection:
        return store.settle(connection, readings, channels)


def queue(seconds: float) -> Reading:
    return Reading("queue_age", "", seconds, 100.0, f"waited {seconds} s")


def test_an_alert_is_raised_once_and_cleared_once(engine: sa.Engine, database_url: str) -> None:
    assert settled(engine, queue(50)) == ([], [])
    [id_], _ = settled(engine, queue(101))
    assert settled(engine, queue(150)) == ([], [])
    with engine.connect() as connection:
        [open_] = store.alerts(connection)
    assert (open_.id, open_.value, open_.detail) == (id_, 150.0, "waited 150 s")
    assert settled(engine, queue(90)) == ([], [])
    assert settled(engine, queue(10)) == ([], [id_])
    assert settled(engine, queue(10)) == ([], [])
    again, _ = settled(engine, queue(200))
    assert again != [id_]
    assert settled(engine) == ([], again)
    with engine.connect() as connection:
        assert store.alerts(connection) == []
        assert [one.id for one in store.alerts(connection, every=True)] == [*again, id_]


def test_who_takes_care_is_noted_once(engine: sa.Engine) -> None:
    [id_], _ = settled(engine, queue(101))
    with engine.begin() as connection:
        store.acknowledge(connection, id_, "ops", "正在处理")
        store.acknowledge(connection, id_, "ops", "again")
        with pytest.raises(ConflictError, match="ops"):
            store.acknowledge(connection, id_, "engineer", "")
        found = store.alert(connection, id_)
    assert found is not None
    assert (found.acknowledged_by, found.note) == ("ops", "正在处理")


class Hook(BaseHTTPRequestHandler):
    """Takes alerts, with the status that the test wants."""

    taken: list[tuple[str | None, dict[str, Any]]]
    status: int

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.taken.append((self.headers["Authorization"], json.loads(body)))
        self.send_response(self.status)
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("status", [500, 302])
def test_a_webhook_is_told_again_until_it_takes_it(engine: sa.Engine, database_url: str, status: int) -> None:
    hook: Any = type("OneHook", (Hook,), {"taken": [], "status": status})
    server = HTTPServer(("127.0.0.1", 0), hook)
    with serving(server):
        sends = delivery.channels(f"http://127.0.0.1:{server.server_port}/", "secret", Mail("", "", ()))
        settled(engine, queue(101), channels=tuple(sends))
        assert delivery.deliver_one(engine, sends)
        assert not delivery.deliver_one(engine, sends)
        assert rows(database_url, "SELECT attempts, last_error, delivered_at FROM bus.alert_notice") == [
            (1, "HTTPError", None)
        ]
        hook.status = 204
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE bus.alert_notice SET not_before = now()")
        assert delivery.deliver_one(engine, sends)
        assert not delivery.deliver_one(engine, sends)
    assert len(hook.taken) == 2
    token, body = hook.taken[-1]
    assert token == "Bearer secret"
    assert (body["event"], body["name"], body["value"], body["detail"]) == (
        "raised",
        "queue_age",
        101.0,
        "waited 101 s",
    )


class Letters(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as a letter needs."""

    letters: list[bytes]

    def handle(self) -> None:
        self.wfile.write(b"220 test\r\n")
        data: list[bytes] | None = None
        for line in self.rfile:
            if data is None:
                verb = line[:4].upper()
                data = [] if verb == b"DATA" else None
                self.wfile.write(
                    {b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}.get(verb, b"250 ok\r\n")
                )
            elif line == b".\r\n":
                self.letters.append(b"".join(data))
                data = None
                self.wfile.write(b"250 taken\r\n")
            else:
                data.append(line)


def test_a_letter_goes_out(engine: sa.Engine, database_url: str) -> None:
    handler: Any = type("OneBox", (Letters,), {"letters": []})
    server = socketserver.TCPServer(("127.0.0.1", 0), handler)
    with serving(server):
        url = f"smtp://127.0.0.1:{server.server_address[1]}"
        sends = delivery.channels("", "", Mail(url, "yilian@localhost", ("ops@localhost",)))
        settled(engine, queue(101), channels=tuple(sends))
        assert delivery.deliver_one(engine, sends)
    [letter] = handler.letters
    assert b"To: ops@localhost" in letter
    assert b"waited 101 s" in letter
    assert rows(database_url, "SELECT delivered_at IS NOT NULL FROM bus.alert_notice") == [(True,)]


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(PermanentError, match="alert_webhook"):
        delivery.channels("file:///etc/passwd", "", Mail("", "", ()))
    with pytest.raises(PermanentError, match="smtp_url"):
        delivery.channels("", "", Mail("localhost", "", ("a@b",)))


def test_a_look_sees_a_dead_process_an_old_queue_and_a_silent_campus(
    engine: sa.Engine, database_url: str, tmp_path: Path
) -> None:
    now = [0.0]
    limits = Limits(processes=("relay", "router"), disk_free=0.0)
    watch = tending.Watch(engine, tending.Tended(database_url, KEY, tmp_path, limits), lambda: now[0])
    send_in(database_url, lab("M1"))
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE bus.inbox SET received_at = now() - interval '2 hours'")
        connection.execute(
            "INSERT INTO bus.heartbeat (name, pid, at) VALUES ('relay', 1, now() - interval '1 minute')"
        )
    assert watch.look()
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE bus.system_position SET marker_at = '-infinity'")
    now[0] = 29.0
    assert watch.look()
    assert open_(engine) == {("process", "relay"), ("queue_age", ""), ("silence", "MAIN")}
    now[0] = 31.0
    assert watch.look()
    assert ("process", "router") in open_(engine)
    with engine.begin() as connection:
        connection.execute(tending.TAKE, {"lock": tending.LOCK})
        assert not watch.look()


def open_(engine: sa.Engine) -> set[tuple[str, str]]:
    with engine.connect() as connection:
        return {(one.name, one.subject) for one in store.alerts(connection)}


def test_a_replay_begun_elsewhere_is_driven(engine: sa.Engine, database_url: str, tmp_path: Path) -> None:
    ids = send_in(database_url, hl7("ADT^A31", "M1"), hl7("ADT^A31", "M2"))
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE bus.work SET state = 1")
        connection.execute(
            "INSERT INTO bus.held (message_id, code, reason) SELECT id, 'no_rule', 'x' FROM bus.work"
        )
    one = tending.Tended(database_url, KEY, tmp_path)
    assert not tending.replays(engine, one)
    run.start(engine, Filters(code="no_rule"), Who("ops", "mended"))
    assert tending.replays(engine, one)
    assert states(database_url) == dict.fromkeys(ids, 0)
    assert not tending.replays(engine, one)


def test_the_console_lists_what_is_open(
    engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(settings, "load", lambda: Settings(database_url=database_url))
    settled(engine, queue(101))
    assert console.alerts_main(["list", "--json"]) == 0
    [shown] = json.loads(capsys.readouterr().out)["alerts"]
    assert (shown["name"], shown["cleared_at"]) == ("queue_age", None)
    assert console.alerts_main(["list"]) == 0
    assert "waited 101" in capsys.readouterr().out
    assert console.alerts_main(["nonsense"]) == 2


def test_the_settings_say_what_is_watched() -> None:
    one = tended(Settings(alert_silence={"HY": 5}, alert_webhook="http://127.0.0.1:1/", alert_disk_free=0.2))
    assert (one.limits.patience("HY"), one.limits.patience("MAIN")) == (300, 3600)
    assert list(one.sends) == ["webhook"]
    assert one.limits.disk_free == 0.2
