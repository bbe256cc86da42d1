"""Telling people of alerts: a webhook, a real SMTP server with STARTTLS, an SMS gateway."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from bus.alerts import delivery, store
from bus.alerts.channel import Channel
from bus.alerts.conditions import Reading
from bus.alerts.mail import Mail
from bus.alerts.sms import Sms, gateway
from bus.alerts.webhook import Webhook
from consortium.errors import PermanentError
from runtime import ports
from runtime.settings import Settings
from runtime.tended import told
from tests.certificates import Authority
from tests.integration.bus.clinic import engine_of, rows

FROM, OPS = "yilian@localhost", ("ops@localhost", "night@localhost")


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = engine_of(database_url)
    yield engine
    engine.dispose()


def raised(engine: sa.Engine, channel: str, *subjects: str) -> None:
    """Raise an alert of silence for each campus, and clear those that are named no more."""
    readings = [
        Reading("silence", subject, 3700.0, 3600.0, f"nothing from {subject}") for subject in subjects
    ]
    with engine.begin() as connection:
        store.settle(connection, readings, [channel])


def later(database_url: str, seconds: int = 7200) -> None:
    """Let time pass for what was told and what waits."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE bus.alert_notice SET not_before = not_before - make_interval(secs => %(s)s),"
            " delivered_at = delivered_at - make_interval(secs => %(s)s)",
            {"s": seconds},
        )


class Post(BaseHTTPRequestHandler):
    """Takes what is posted, with the status that the test wants."""

    taken: list[tuple[dict[str, str], dict[str, Any]]]
    status: int

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.taken.append(({k.lower(): v for k, v in self.headers.items()}, json.loads(body)))
        self.send_response(self.status)
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def posts(status: int = 204) -> Iterator[tuple[str, type[Post]]]:
    """Listen for posts; gives the address, and where what was taken is kept."""
    handler = type("OnePost", (Post,), {"taken": [], "status": status})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", handler
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Letters:
    """A mailbox: what was handed over, and for whom; one address may be unknown."""

    def __init__(self, unknown: str = "") -> None:
        self.unknown = unknown
        self.got: list[Envelope] = []
        self.encrypted: list[bool] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name of it
        self, _server: object, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address == self.unknown:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: object, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.got.append(envelope)
        self.encrypted.append(session.ssl is not None)
        return "250 taken"


def content(letter: Envelope) -> bytes:
    """Return a letter as it came."""
    assert isinstance(letter.content, bytes)
    return letter.content


def signs_in(_server: object, _session: object, _envelope: object, _mechanism: str, data: Any) -> AuthResult:
    known = LoginPassword(b"bus", b"p@ss/word")
    return AuthResult(success=data == known, handled=False)


@contextmanager
def smtp(letters: Letters, **options: Any) -> Iterator[int]:
    """Run an SMTP server on a free port of loopback."""
    controller = Controller(letters, hostname=ports.LOOPBACK, port=ports.any_free(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@contextmanager
def secure(authority: Authority, letters: Letters) -> Iterator[int]:
    """Run one that takes letters only from who is signed in, over STARTTLS."""
    issued = authority.issue("CN=mail")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    options = {"tls_context": context, "require_starttls": True, "authenticator": signs_in}
    with smtp(letters, auth_required=True, **options) as port:
        yield port


def mailing(port: int, **more: Any) -> dict[str, Channel]:
    url = f"smtp://bus@127.0.0.1:{port}" if more.get("password") else f"smtp://127.0.0.1:{port}"
    return {"email": Mail(url, FROM, OPS, **more)}


@pytest.mark.parametrize("status", [500, 302])
def test_a_webhook_is_told_again_until_it_takes_it(engine: sa.Engine, database_url: str, status: int) -> None:
    with posts(status) as (url, hook):
        by: dict[str, Channel] = {"webhook": Webhook(url, "secret")}
        raised(engine, "webhook", "MAIN")
        assert delivery.deliver(engine, by) == 0
        query = "SELECT attempts, last_error, delivered_at FROM bus.alert_notice"
        assert rows(database_url, query) == [(1, "HTTPError", None)]
        assert delivery.deliver(engine, by) == 0
        assert len(hook.taken) == 1  # it waits
        with engine.connect() as connection:
            [failed] = store.untold(connection)
        assert (failed.channel, failed.count, failed.last_error) == ("webhook", 1, "HTTPError")
        hook.status = 204
        later(database_url)
        assert delivery.deliver(engine, by) == 1
        assert delivery.deliver(engine, by) == 0
    headers, body = hook.taken[-1]
    assert headers["authorization"] == "Bearer secret"
    assert (body["event"], body["name"], body["subject"]) == ("raised", "silence", "MAIN")


def test_a_letter_goes_out_signed_in_over_starttls(engine: sa.Engine, authority: Authority) -> None:
    letters = Letters()
    raised(engine, "email", "MAIN", "HY")
    with secure(authority, letters) as port:
        assert delivery.deliver(engine, mailing(port, password="p@ss/word", ca=authority.certificate)) == 2
    [letter] = letters.got
    text = content(letter)
    assert letters.encrypted == [True]
    assert (letter.mail_from, letter.rcpt_tos) == (FROM, list(OPS))
    assert b"nothing from MAIN" in text
    assert b"nothing from HY" in text
    assert b"Auto-Submitted: auto-generated" in text


@pytest.mark.parametrize(
    ("password", "trusted", "error"),
    [("wrong", True, "SMTPAuthenticationError"), ("p@ss/word", False, "SSLCertVerificationError")],
)
def test_a_wrong_password_or_a_strange_server_is_tried_again_and_gets_no_letter(
    engine: sa.Engine, database_url: str, authority: Authority, password: str, trusted: bool, error: str
) -> None:
    letters = Letters()
    raised(engine, "email", "MAIN")
    with secure(authority, letters) as port:
        ca = authority.certificate if trusted else None
        assert delivery.deliver(engine, mailing(port, password=password, ca=ca)) == 0
    assert letters.got == []
    assert rows(database_url, "SELECT attempts, last_error FROM bus.alert_notice") == [(1, error)]


def test_without_tls_nothing_goes_to_a_server_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = Letters()
    monkeypatch.setattr("bus.notifying.smtp._loopback", lambda _host: False)
    with smtp(letters) as port:
        with pytest.raises(OSError, match="STARTTLS"):
            Mail(f"smtp://127.0.0.1:{port}", FROM, OPS).tell([])
        assert letters.got == []


def test_what_comes_within_the_pause_goes_together_afterwards(engine: sa.Engine, database_url: str) -> None:
    letters = Letters()
    with smtp(letters) as port:
        by = mailing(port)
        raised(engine, "email", "MAIN")
        assert delivery.deliver(engine, by) == 1
        raised(engine, "email", "MAIN", "HP")
        raised(engine, "email", "HY")  # the other two are well again
        assert delivery.deliver(engine, by) == 0
        later(database_url, 61)
        assert delivery.deliver(engine, by) == 4
        assert delivery.deliver(engine, by) == 0
    [first, second] = letters.got
    assert b"silence MAIN raised" in content(first)
    text = content(second).decode()
    told = [line for line in text.splitlines() if line.startswith(("raised:", "cleared:"))]
    assert told[0] == "raised: silence HP"
    assert sorted(told[1:]) == ["cleared: silence HP", "cleared: silence MAIN", "raised: silence HY"]


def test_an_unknown_recipient_does_not_keep_the_letter_from_the_others(engine: sa.Engine) -> None:
    letters = Letters(unknown=OPS[1])
    raised(engine, "email", "MAIN")
    with smtp(letters) as port:
        assert delivery.deliver(engine, mailing(port)) == 1
    assert [letter.rcpt_tos for letter in letters.got] == [[OPS[0]]]


def test_a_text_goes_through_the_gateway_once_for_all_with_the_same_key_when_it_is_sent_again(
    engine: sa.Engine, database_url: str
) -> None:
    with posts(503) as (url, gate):
        by: dict[str, Channel] = {"sms": Sms(gateway(url, "t0ken"), ("13800000000", "13900000000"))}
        raised(engine, "sms", "MAIN", "HY")
        assert delivery.deliver(engine, by) == 0
        gate.status = 200
        later(database_url)
        assert delivery.deliver(engine, by) == 2
    (first, _), (headers, body) = gate.taken
    assert first["idempotency-key"] == headers["idempotency-key"]
    assert headers["authorization"] == "Bearer t0ken"
    assert body["to"] == ["13800000000", "13900000000"]
    assert body["text"] == "【医联】告警 silence MAIN、silence HY。详见 yilian alerts list"


def test_a_dead_mail_server_keeps_no_text_back(engine: sa.Engine, tmp_path: Path) -> None:
    out = tmp_path / "texts.jsonl"
    by: dict[str, Channel] = {
        "email": Mail("smtp://127.0.0.1:1", FROM, OPS),
        "sms": Sms(gateway(out.as_uri(), ""), ("13800000000",)),
    }
    raised(engine, "email", "MAIN")
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO bus.alert_notice (alert_id, event, channel)"
                                   " SELECT id, 'raised', 'sms' FROM bus.alert"))  # fmt: skip
    assert delivery.deliver(engine, by) == 1
    [line] = out.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["text"].startswith("【医联】告警 silence MAIN")


def test_an_address_that_is_none_is_refused() -> None:
    for name, wrong in (
        ("alert_webhook", Settings(alert_webhook="file:///etc/passwd")),
        ("smtp_url", Settings(smtp_url="localhost", alert_mail_to=("a@b",))),
        ("sms_gateway", Settings(sms_gateway="ftp://x/", alert_sms_to=("1",))),
    ):
        with pytest.raises(PermanentError, match=name):
            told(wrong)


def test_the_settings_say_who_is_told() -> None:
    by = told(
        Settings(
            alert_webhook="https://hook.example/",
            smtp_url="smtp://bus@mail.example",
            smtp_password="secret",
            alert_mail_to=("ops@example.org",),
            sms_gateway="https://sms.example/send",
            alert_sms_to=("13800000000",),
            alert_sms_seconds=5,
        )
    )
    assert list(by) == ["webhook", "email", "sms"]
    assert by["sms"].pause == 5
    assert "secret" not in repr(Settings(smtp_password="secret"))
