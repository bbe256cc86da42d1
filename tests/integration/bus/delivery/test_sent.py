"""What really went out is kept, and shown as it went: of every way of sending, and whatever became of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.mllp.outbound import MllpTransport
from adapters.rest.outbound import RestTransport
from adapters.soap.versions import Version
from bus.console import messages_main
from bus.delivery.building import Building
from bus.delivery.recomputing import recomputing
from bus.delivery.transport import Transport
from bus.fhir.systems import Systems
from bus.retention.decide import Keep
from bus.retention.run import run
from bus.router.effects import Services
from bus.router.router import Router
from bus.rules.destinations import AnyDestination, RestDestination
from bus.rules.ruleset import RuleSet
from bus.rules.versions import store as versions
from bus.rules.versions.folder import digest_of
from bus.rules.versions.model import Action
from bus.sent_forms import How, Sent, sent
from runtime import settings
from runtime.settings import Settings
from tests.contract.outbound.http_harness import COMMON, plain, rest, soap_says, soap_way
from tests.contract.outbound.http_receiver import Server
from tests.integration.bus.clinic import engine_of, hl7, rows, store
from tests.integration.bus.delivery.queue import delivering, enqueue, messages, mllp, states, until
from tests.integration.bus.delivery.receivers import MllpReceiver, ack, silent
from tests.integration.bus.delivery.rulebook import rulebook

SYSTEMS = Systems(Settings())
ROWS = "SELECT count(*) FROM bus.sent"


def shown(url: str, specs: Mapping[str, AnyDestination] | None = None) -> list[Sent]:
    """Return what is shown of the first message's deliveries."""
    [(message,)] = rows(url, "SELECT min(message_id) FROM bus.delivery")
    with engine_of(url).connect() as connection:
        return sent(connection, message, recomputing(specs or {}, SYSTEMS))


async def test_bytes_that_went_out_as_they_came_are_told_by_their_digest_and_not_copied(
    database_url: str,
) -> None:
    async with MllpReceiver() as ward:
        arrivals, keys = messages(3, patients=3)
        enqueue(database_url, "ward", arrivals, keys)
        async with delivering(database_url, mllp(ward.port, connections=3)) as line:
            line.version = None
            await until(lambda: states(database_url) == ["delivered"] * 3)
    [one] = shown(database_url)
    assert (one.how, one.body, one.charset) == (How.KEPT, arrivals[0].body, "gb18030")
    assert "王^珅" in (one.text or "")
    assert (one.answer, one.code) == (ack("AA", "P1-1"), "AA")
    assert rows(database_url, ROWS) == [(0,)]


async def test_what_is_built_is_kept_as_it_went_out_whatever_is_built_later(
    database_url: str, tmp_path: Any
) -> None:
    folder = rulebook(tmp_path)
    path = folder / "campuses" / "main" / "12-patient.yaml"
    path.write_text(path.read_text("utf-8").replace("  - ward\n", "  - {to: ward, send: hl7}\n"), "utf-8")
    [id_] = store(database_url, hl7("ADT^A28", "M1", sex="M"))
    Router(engine_of(database_url), RuleSet.load(folder), Services()).answer([id_])
    async with MllpReceiver(silent) as ward:
        spec = mllp(ward.port, timeout_seconds=0.3, hl7={"charset": "GB 18030-2000"})
        async with delivering(database_url, spec, Building(MllpTransport(spec), spec, SYSTEMS)):
            await until(lambda: states(database_url) == ["ambiguous"])
        [body] = ward.bodies
    later = {"ward": mllp(ward.port, hl7={"receiving_application": "OTHER"})}
    [one] = shown(database_url, later)
    assert (one.how, one.body, one.charset, one.answer) == (How.KEPT, body, "gb18030", None)
    assert one.form == "hl7"
    assert one.sent_at is not None
    # Of a delivery of before, what would go out now is told, and told as that.
    rows(database_url, "UPDATE bus.delivery SET sent_digest = NULL RETURNING id")
    [one] = shown(database_url, later)
    assert one.how is How.RECOMPUTED
    assert b"|OTHER|" in (one.body or b"")


@pytest.fixture
def portal() -> Iterator[Server]:
    server = Server(plain)
    yield server
    server.stop()


async def test_json_is_kept_with_the_address_that_was_made_of_the_message(
    database_url: str, portal: Server
) -> None:
    spec, transport = rest(portal.start())
    await _delivered(database_url, spec, transport)
    [request] = portal.requests
    [one] = shown(database_url)
    assert (one.how, one.body) == (How.KEPT, request.body)
    assert one.place == f"POST http://{request.headers['host']}{request.path}"
    assert json.loads(one.text or "")["patient"]["number"] == "M1"


async def test_an_envelope_is_kept_without_its_password(database_url: str) -> None:
    server = Server(soap_says(Version.V12))
    try:
        spec, transport = soap_way("Soap12")(server.start())
        await _delivered(database_url, spec, transport)
    finally:
        server.stop()
    [request] = server.requests
    [one] = shown(database_url)
    body = one.body or b""
    assert b"UsernameToken" in request.body
    assert b"UsernameToken" not in body
    assert body[body.index(b"Body") :] == request.body[request.body.index(b"Body") :]


async def _delivered(url: str, spec: AnyDestination, transport: Transport) -> None:
    enqueue(url, spec.name, *messages(1))
    async with delivering(url, spec, transport):
        await until(lambda: states(url, spec.name) == ["delivered"])


async def test_the_last_attempt_counts_and_leaves_nothing_of_the_one_before(
    database_url: str, portal: Server
) -> None:
    """First a shape is sent; then the file is corrected, and the message goes as it came."""
    origin = portal.start()
    portal.says = lambda _how: (422, "text/plain", b"no")
    shaped = RestDestination(**COMMON, kind="rest", address=origin, body={"id": "MSH-10"})
    enqueue(database_url, "way", *messages(1))
    async with delivering(database_url, shaped, RestTransport(shaped, {})):
        await until(lambda: states(database_url, "way") == ["parked"])
    assert [one.body for one in shown(database_url)] == [b'{"id":"P1-1"}']
    rows(database_url, "UPDATE bus.delivery SET state = 'queued' RETURNING id")
    portal.says = plain
    plainly = RestDestination(**COMMON, kind="rest", address=origin)
    async with delivering(database_url, plainly, RestTransport(plainly, {})) as line:
        line.version = None
        await until(lambda: states(database_url, "way") == ["delivered"])
    [one] = shown(database_url)
    assert one.body == portal.requests[-1].body == messages(1)[0][0].body


async def test_the_rule_set_under_which_it_went_is_told(database_url: str) -> None:
    files = {"sites.csv": b""}
    version = digest_of(files)
    with engine_of(database_url).begin() as connection:
        versions.save(connection, version, files, author="chen", note="", rules=0, tests=0)
        versions.activate(connection, version, Action.INITIAL, "chen", "a test")
    async with MllpReceiver() as ward:
        enqueue(database_url, "ward", *messages(1))
        async with delivering(database_url, mllp(ward.port)) as line:
            line.version = version
            await until(lambda: states(database_url) == ["delivered"])
    assert [one.rules for one in shown(database_url)] == [version[:12]]


async def test_what_was_sent_goes_with_its_day(database_url: str, portal: Server) -> None:
    spec, transport = rest(portal.start())
    await _delivered(database_url, spec, transport)
    now = datetime.now(UTC)
    rows(database_url, "DELETE FROM bus.work RETURNING id")
    assert rows(database_url, ROWS) == [(1,)]
    engine = engine_of(database_url)
    gone = list(run(engine, Keep(bodies=30), now + timedelta(days=29)))
    assert [one for one in gone if one.what == "bodies"] == []
    assert rows(database_url, ROWS) == [(1,)]
    # One that waits for somebody keeps its bytes when its day goes.
    rows(database_url, "UPDATE bus.delivery SET state = 'parked', done_at = NULL RETURNING id")
    list(run(engine, Keep(bodies=30), now + timedelta(days=32)))
    assert rows(database_url, "SELECT count(*) FROM bus.sent_kept") == [(1,)]
    assert [one.how for one in shown(database_url)] == [How.KEPT]
    rows(database_url, "UPDATE bus.delivery SET state = 'delivered', done_at = now() RETURNING id")
    list(run(engine, Keep(bodies=30), now + timedelta(days=64)))
    assert rows(database_url, ROWS) == [(0,)]
    told = "SELECT dropped::int, spared::int FROM bus.retention WHERE what = 'sent' AND spared > 0"
    assert rows(database_url, told) == [(0, 1)]


@pytest.fixture
def at_home(database_url: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "destinations").mkdir()
    monkeypatch.setenv("YILIAN_HOME", str(tmp_path))
    monkeypatch.setenv("YILIAN_DATABASE_URL", database_url)
    monkeypatch.setenv("YILIAN_RULES_DIR", str(tmp_path))
    settings.load.cache_clear()
    yield
    settings.load.cache_clear()


@pytest.mark.usefixtures("at_home")
async def test_the_command_line_shows_it(
    database_url: str, portal: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, transport = rest(portal.start())
    await _delivered(database_url, spec, transport)
    [(message,)] = rows(database_url, "SELECT message_id FROM bus.delivery")
    assert messages_main(["show", str(message)]) == 0
    told = capsys.readouterr().out
    assert "sent to way (raw, delivery" in told
    assert "as they went out" in told
    assert '"number":"M1"' in told.replace("\n", "")
    assert messages_main(["show", str(message), "--json"]) == 0
    [one] = json.loads(capsys.readouterr().out)["sent"]
    assert (one["how"], one["answer"]) == ("kept", "said")
