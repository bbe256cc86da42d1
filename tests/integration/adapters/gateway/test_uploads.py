"""SOAP and REST uploads at the gateway are the hub's own, with the hub's own answers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from adapters.gateway.settings import GatewaySettings
from consortium.access.passwords import hash_password
from tests.gateways import Place
from tests.integration.adapters.gateway.conftest import Rows, until
from tests.integration.adapters.gateway.proxy import proxied
from tests.integration.adapters.soap.test_bad_input import envelope

AUTH = ("his", "a right password")


@pytest.fixture
def uploads(place: Place) -> dict[str, Any]:
    """The settings of the door, and one account."""
    account = {"user": "his", "campus": "HP", "password_hash": hash_password(AUTH[1])}
    return {"mllp": [], "http": {"port": place.http_port}, "accounts": [account]}


async def post(place: Place, path: str, body: bytes, **changed: Any) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        url = f"http://127.0.0.1:{place.http_port}{path}"
        return await client.post(url, content=body, **{"auth": AUTH} | changed)


JSON = {"Content-Type": "application/json", "Idempotency-Key": "K1"}
PATIENT = '{"patient": {"number": "P1", "name": "欧阳珅"}}'.encode()


async def test_they_are_taken_while_the_line_is_down_and_arrive_with_their_protocol(
    place: Place, uploads: dict[str, Any], rows: Rows
) -> None:
    soap = envelope("S1", "<姓名>欧阳珅</姓名>").encode()
    async with proxied(place.hub_port) as line, place.running(to=line.port, **uploads) as (_, agent):
        await line.down()
        first = await post(place, "/api/v1/upload/HP/patient", PATIENT, headers=JSON)
        again = await post(place, "/api/v1/upload/HP/patient", PATIENT, headers=JSON)
        assert (first.status_code, first.json()["outcome"]) == (202, "stored")
        assert (again.status_code, again.json()["outcome"]) == (202, "duplicate")
        answer = await post(place, "/soap/patient", soap, headers={"Content-Type": "text/xml; charset=utf-8"})
        assert answer.status_code == 200, answer.text
        assert agent.level.count == 2
        await line.up()
        await until(lambda: agent.level.count == 0)
    found = rows("SELECT protocol, endpoint, control_id, message_type, body FROM bus.message ORDER BY id")
    assert [row[:4] for row in found] == [
        ("rest", "ns-front/api/v1/upload/HP/patient", "K1", "rest:patient"),
        ("soap", "ns-front/soap/patient", "S1", "soap:patient"),
    ]
    assert [bytes(row[4]) for row in found] == [PATIENT, soap]


async def test_a_full_spool_answers_503_and_a_wrong_password_401(
    place: Place, uploads: dict[str, Any], rows: Rows
) -> None:
    async with place.running(**uploads) as (_, agent):
        wrong = await post(place, "/api/v1/upload/HP/patient", PATIENT, headers=JSON, auth=("his", "no"))
        assert (wrong.status_code, wrong.json()["type"].rpartition(":")[2]) == (401, "unauthenticated")
        agent.level.bytes += 2**62
        full = await post(place, "/api/v1/upload/HP/patient", PATIENT, headers=JSON)
        assert (full.status_code, full.json()["type"].rpartition(":")[2]) == (503, "unavailable")
        agent.level.bytes -= 2**62
        taken = await post(place, "/api/v1/upload/HP/patient", PATIENT, headers=JSON)
        assert taken.status_code == 202
        await until(lambda: rows("SELECT control_id FROM bus.inbox") == [("K1",)])
        assert rows("SELECT code FROM bus.refusal") == [("unauthenticated",)]


def test_patient_data_does_not_cross_the_campus_in_clear_by_mistake(
    place: Place, uploads: dict[str, Any]
) -> None:
    def told(**door: Any) -> GatewaySettings:
        return place.agent(**uploads | {"http": {"port": place.http_port, "host": "10.9.8.7"} | door})

    with pytest.raises(ValueError, match="in clear"):
        told()
    assert told(plain_text=True).http is not None
