"""What is refused, at the gateway and at the hub, and how it is said."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from adapters.gateway import hub
from adapters.gateway.agent import started
from adapters.gateway.checking import check
from adapters.gateway.client import Client
from adapters.gateway.codec import Batch, Status
from adapters.gateway.settings import GatewaySettings
from adapters.gateway.trouble import LineError, Trouble, told
from consortium.access.seed import seed_sample_users
from runtime.gateway import Gateway
from tests.certificates import Authority
from tests.gateways import NAME, SUBJECT, Place
from tests.integration.adapters.gateway.conftest import Rows, adt, send, until
from tests.integration.adapters.gateway.proxy import proxied

EMPTY = Batch(NAME, bytes(16), b"", [], Status())


async def trouble(settings: GatewaySettings) -> Trouble:
    """Return why nothing goes over the line."""
    async with Client(settings) as client:
        with pytest.raises(LineError) as raised:
            await client.send(EMPTY)
    return raised.value.trouble


@pytest.fixture
def strangers(tmp_path: Path) -> Authority:
    """Another authority."""
    folder = tmp_path / "strangers"
    folder.mkdir()
    return Authority(folder, "别的CA")


async def test_a_certificate_of_another_authority_is_refused_in_clear_words(
    place: Place, strangers: Authority, monkeypatch: pytest.MonkeyPatch, rows: Rows
) -> None:
    async with hub.opened(place.hub()):
        found = await trouble(place.agent(certificate=strangers.issue(SUBJECT)))
        await until(lambda: rows("SELECT code FROM bus.refusal"))
    [(protocol, code, reason)] = rows("SELECT protocol, code, reason FROM bus.refusal")
    assert (protocol, code) == ("gateway", "tls")
    assert "the sender's certificate is refused" in reason
    assert found.code == "certificate_refused"
    assert "the hub refuses our certificate" in told(found)
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert "中心拒绝本网关的证书" in told(found)


async def test_an_expired_certificate_is_refused_and_check_says_so(place: Place) -> None:
    expired = place.authority.issue(SUBJECT, lasts=timedelta(days=-1))
    settings = place.agent(certificate=expired)
    async with hub.opened(place.hub()):
        assert (await trouble(settings)).code == "certificate_refused"
        findings = {one.what: one for one in await check(settings)}
    assert (findings["certificate"].good, findings["certificate"].text) == (False, "expired")
    assert not findings["line"].good
    assert "account" not in findings


async def test_without_any_certificate_the_handshake_fails(place: Place) -> None:
    address = {"url": f"https://127.0.0.1:{place.hub_port}", "ca": place.authority.certificate}
    async with hub.opened(place.hub()):
        found = await trouble(place.agent(hub=address | {"account": "a", "password": "b"}))
    assert found.code == "certificate_refused"


async def test_a_hub_of_another_authority_hears_nothing(place: Place, strangers: Authority) -> None:
    place.hub_certificate = strangers.issue("CN=hub")
    async with hub.opened(place.hub()) as (served, _):
        found = await trouble(place.agent())
        assert served.detail()["gateways"] == 0
    assert found.code == "hub_untrusted"
    assert "nothing was sent" in told(found)


async def test_a_hub_whose_certificate_expired_or_is_for_another_name_is_told_apart(place: Place) -> None:
    async with hub.opened(place.hub()):
        by_name = place.agent(
            hub=place.agent().hub.model_dump() | {"url": f"https://localhost:{place.hub_port}"}
        )
        assert (await trouble(by_name)).code == "hub_name"
    place.hub_certificate = place.authority.issue("CN=hub", lasts=timedelta(days=-1))
    async with hub.opened(place.hub()):
        assert (await trouble(place.agent())).code == "hub_expired"


async def test_a_port_without_tls_and_a_closed_one_are_told_apart(place: Place) -> None:
    async with started(place.agent()):
        assert (await trouble(place.agent(to=place.mllp_port))).code in {"no_tls", "no_answer"}
    assert (await trouble(place.agent())).code == "unreachable"


@pytest.mark.parametrize(
    ("gateway", "reason"),
    [
        (Gateway(name="other", subject=SUBJECT, campuses=("HP",)), "names no ns-front"),
        (Gateway(name=NAME, subject="CN=somebody", campuses=("HP",)), "is known by another"),
    ],
)
async def test_a_gateway_that_the_hub_does_not_know_is_told_what_to_correct(
    place: Place, gateway: Gateway, reason: str
) -> None:
    async with hub.opened(place.hub(gateways=(gateway,))):
        found = await trouble(place.agent())
    assert (found.code, reason in found.detail) == ("unauthenticated", True)


@pytest.fixture
def accounts(database_url: str) -> None:
    """The sample accounts."""
    engine = sa.create_engine(sa.make_url(database_url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        seed_sample_users(connection, "a right password")
    engine.dispose()


@pytest.mark.usefixtures("accounts")
async def test_a_system_account_signs_in_for_its_own_campus_alone(place: Place, rows: Rows) -> None:
    told_hub = place.hub(gateways=(Gateway(name=NAME, account="system.huangpu", campuses=("HP", "NS")),))
    told_hub = told_hub.model_copy(
        update={"gateway_endpoint": told_hub.gateway_endpoint.model_copy(update={"client_ca": None})}  # type: ignore[union-attr]
    )
    address: dict[str, Any] = {
        "url": f"https://127.0.0.1:{place.hub_port}",
        "ca": place.authority.certificate,
    }
    right = place.agent(hub=address | {"account": "system.huangpu", "password": "a right password"})
    async with hub.opened(told_hub):
        wrong = place.agent(hub=address | {"account": "system.huangpu", "password": "a wrong password"})
        assert (await trouble(wrong)).code == "unauthenticated"
        findings = {one.what: one for one in await check(right)}
        assert findings["line"].good
        assert "not for NS" in findings["account"].text
        async with started(right) as agent:
            await send(place.mllp_port, adt("C1"))
            await until(lambda: agent.level.count == 0)
            await send(place.mllp_port, adt("C2", facility="NS", charset="GB 18030-2000"))
            await until(lambda: agent.pending.line().state == "wrong_campus")
    assert rows("SELECT control_id FROM bus.inbox") == [("C1",)]


async def test_a_campus_that_the_gateway_may_not_speak_for_waits_there_and_is_audited(
    place: Place, rows: Rows
) -> None:
    narrow = (Gateway(name=NAME, subject=SUBJECT, campuses=("HP",)),)
    async with hub.opened(place.hub(gateways=narrow)), started(place.agent()) as agent:
        raw = adt("C1", facility="NS", charset="GB 18030-2000")
        assert await send(place.mllp_port, raw, adt("C2")) == ["AA", "AA"]
        await until(lambda: agent.pending.line().state == "wrong_campus")
        assert rows("SELECT count(*) FROM bus.inbox") == [(0,)]
        refused = rows("SELECT DISTINCT username, organisation, outcome FROM access.audit")
        assert refused == [("gateway.ns-front", "NS", "refused")]
    async with hub.opened(place.hub()), started(place.agent()) as agent:
        await until(lambda: agent.level.count == 0)
    assert rows("SELECT facility, control_id FROM bus.inbox ORDER BY id") == [("NS", "C1"), ("HP", "C2")]


async def test_what_the_gateway_refused_is_among_the_hub_s_refusals(place: Place, rows: Rows) -> None:
    async with proxied(place.hub_port) as line, place.running(to=line.port) as (_, agent):
        await line.down()
        codes = await send(
            place.mllp_port, adt("C1").replace(b"ADT^A08", b"XXX^X01"), adt("C2", facility="XX")
        )
        assert codes == ["AR", "AR"]
        await line.up()
        await until(lambda: agent.level.count == 0)
    found = rows("SELECT code, endpoint, protocol, control_id, reason, body FROM bus.refusal ORDER BY id")
    assert [row[:4] for row in found] == [
        ("unknown_type", "ns-front/mllp-front", "mllp", "C1"),
        ("unknown_campus", "ns-front/mllp-front", "mllp", "C2"),
    ]
    assert all("at the gateway, 20" in row[4] for row in found)
    assert bytes(found[0][5]).startswith(b"MSH|")


async def test_a_full_spool_answers_ae_and_takes_again_when_the_line_is_back(
    place: Place, rows: Rows
) -> None:
    async with proxied(place.hub_port) as line, place.running(to=line.port) as (_, agent):
        await line.down()
        agent.level.bytes += 20 * 1024**3 - 400  # so much lies there that two messages more are too many
        codes = await send(place.mllp_port, *[adt(f"C{n}") for n in range(5)])
        assert (codes[0], codes[-1], agent.doors.detail()["mllp-front"]["unavailable"]) == (
            "AA",
            "AE",
            codes.count("AE"),
        )
        taken = codes.count("AA")
        agent.level.bytes -= 20 * 1024**3 - 400
        assert set(await send(place.mllp_port, *[adt(f"C{n}") for n in range(taken, 5)])) == {"AA"}
        await line.up()
        await until(lambda: agent.level.count == 0)
    assert rows("SELECT control_id FROM bus.inbox ORDER BY id") == [(f"C{n}",) for n in range(5)]


def test_a_setting_that_is_wrong_is_named(place: Place) -> None:
    with pytest.raises(ValueError, match="belong together"):
        place.agent(hub=place.agent().hub.model_dump() | {"key": None})
    door = {"name": "mllp", "port": place.mllp_port}
    with pytest.raises(ValueError, match="a port of its own"):
        place.agent(mllp=[door, door | {"name": "other"}])
    with pytest.raises(ValueError, match="at the hub alone"):
        place.agent(mllp=[door | {"sequence": True}])
    with pytest.raises(ValueError, match="nothing can come in"):
        place.agent(mllp=[])
