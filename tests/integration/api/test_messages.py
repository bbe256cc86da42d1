"""Where a message is, over the API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from api.app import create_app
from bus.envelope import Arrival, Refusal
from bus.inbox import Inbox
from consortium.access import audit
from tests.integration.api.conftest import As, settings_for
from tests.integration.api.records import everything

PATH = "/api/v1/messages"
WHY = {"reason": "代码表已补齐"}
BODY = "MSH|^~\\&|LIS|MAIN|||20261120||ORU^R01|7|P|2.4\rPID|||M1||王珅\r".encode("gb18030")


def arrival(control_id: str, facility: str = "MAIN", patient: str = "M1") -> Arrival:
    return Arrival(
        facility=facility,
        sender="LIS",
        control_id=control_id,
        message_type="ORU^R01",
        body=BODY,
        charset="gb18030",
        protocol="mllp",
        endpoint="mllp",
        digest=control_id.encode().ljust(32),
        patient_number=patient,
    )


@pytest.fixture
async def sent(seeded_url: str) -> list[str]:
    """Three messages, of which the last is of Huangpu, and a refusal; newest last."""
    refusal = Refusal(
        protocol="mllp",
        endpoint="mllp",
        peer="127.0.0.1:9",
        code="unknown_type",
        reason="this type is not taken",
        body=BODY,
        size=len(BODY),
    )
    async with Inbox(seeded_url, "a routing key for tests") as inbox:
        ids = [(await inbox.accept(arrival(c, f, p))).id for c, f, p in
               (("1", "MAIN", "M1"), ("2", "MAIN", "M2"), ("3", "HP", "HP-1"))]  # fmt: skip
        refused = await inbox.refuse(refusal)
    return [*map(str, ids), f"r{refused}"]


@pytest.fixture
def app(seeded_url: str) -> Iterator[FastAPI]:
    application = create_app(settings_for(seeded_url))
    yield application
    application.state.platform.engine.dispose()


async def listed(client: httpx.AsyncClient, headers: dict[str, str], query: str = "") -> Any:
    answer = await client.get(f"{PATH}?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def hold(engine: sa.Engine, message: str) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE bus.work SET state = 1 WHERE id = :id"), {"id": int(message)})
        connection.execute(
            sa.text(
                "INSERT INTO bus.held (message_id, code, reason) VALUES (:id, 'unmapped_code', '代码未映射')"
            ),
            {"id": int(message)},
        )


async def test_messages_and_refusals_are_listed_without_patient_numbers(
    client: httpx.AsyncClient, as_: As, sent: list[str]
) -> None:
    page = await listed(client, as_("ops"))
    assert [item["id"] for item in page["items"]] == sent[::-1]
    assert [item["state"] for item in page["items"]] == ["refused", "stored", "stored", "stored"]
    assert "M1" not in str(page)


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("facility=HP", [2]),
        ("control_id=2", [1]),
        ("patient_number=M1", [0]),
        ("state=refused", [3]),
        ("state=held", []),
        ("type=ORU^R01", [2, 1, 0]),
        ("since=2126-01-01T00:00:00Z", []),
        ("text=not taken", [3]),
    ],
)
async def test_messages_are_found_by(
    client: httpx.AsyncClient, as_: As, sent: list[str], query: str, places: list[int]
) -> None:
    page = await listed(client, as_("engineer"), query)
    assert [item["id"] for item in page["items"]] == [sent[place] for place in places]


async def test_pages_follow_one_another(client: httpx.AsyncClient, as_: As, sent: list[str]) -> None:
    seen: list[str] = []
    after = ""
    while True:
        page = await listed(client, as_("ops"), f"limit=1{after}")
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert seen == sent[::-1]
    assert (await client.get(f"{PATH}?after=x", headers=as_("ops"))).status_code == 400


async def test_a_journey_is_shown_and_that_is_audited_with_the_person(
    client: httpx.AsyncClient, as_: As, sent: list[str], engine: sa.Engine
) -> None:
    person = everything(engine, "MAIN", "M1", 0)
    way = (await client.get(f"{PATH}/{sent[0]}", headers=as_("ops"))).json()
    assert (way["patient_number"], way["state"], way["body"]) == ("M1", "stored", None)
    assert newest(engine) == ("message.read", "allowed", [person])


def newest(engine: sa.Engine) -> tuple[str, str, list[UUID]]:
    with engine.connect() as connection:
        entry = audit.entries(connection, limit=1)[0].entry
    return entry.action, entry.outcome, list(entry.persons)


async def test_the_body_is_for_who_was_given_the_permission(
    client: httpx.AsyncClient, as_: As, sent: list[str], engine: sa.Engine
) -> None:
    for message in (sent[0], sent[-1]):
        refused = await client.get(f"{PATH}/{message}?body=true", headers=as_("ops"))
        assert refused.status_code == 403
        assert newest(engine)[:2] == ("message-body.read", "refused")
        shown = await client.get(f"{PATH}/{message}?body=true", headers=as_("engineer"))
        assert shown.json()["body"].startswith("MSH|")
        assert newest(engine)[:2] == ("message-body.read", "allowed")
    way = (await client.get(f"{PATH}/{sent[0]}?body=true", headers=as_("engineer"))).json()
    assert "王珅" in way["body"]


async def test_a_held_message_is_let_go_on_once(
    client: httpx.AsyncClient, as_: As, sent: list[str], engine: sa.Engine
) -> None:
    hold(engine, sent[1])
    [held] = (await listed(client, as_("ops"), "state=held"))["items"]
    assert (held["id"], held["code"], held["reason"]) == (sent[1], "unmapped_code", "代码未映射")
    done = await client.post(f"{PATH}/{sent[1]}/replay", json=WHY, headers=as_("ops"))
    assert done.json() == {"ready": [sent[1]]}
    assert newest(engine)[:2] == ("message.replay", "allowed")
    again = await client.post(f"{PATH}/{sent[1]}/replay", json=WHY, headers=as_("ops"))
    assert again.status_code == 409
    way = (await client.get(f"{PATH}/{sent[1]}", headers=as_("ops"))).json()
    assert [hold["released_by"] for hold in way["holds"]] == ["ops"]


async def test_a_refusal_cannot_be_replayed(client: httpx.AsyncClient, as_: As, sent: list[str]) -> None:
    answer = await client.post(f"{PATH}/{sent[-1]}/replay", json=WHY, headers=as_("engineer"))
    assert answer.status_code == 403  # of no campus: nobody replays it


async def test_what_is_not_there_is_not_found(client: httpx.AsyncClient, as_: As, sent: list[str]) -> None:
    for path in ("999999", "r999999"):
        assert (await client.get(f"{PATH}/{path}", headers=as_("ops"))).status_code == 404
    assert (await client.get(f"{PATH}/abc", headers=as_("ops"))).status_code == 422


async def test_an_engineer_of_one_campus_sees_that_campus(
    client: httpx.AsyncClient, as_: As, sent: list[str], engine: sa.Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE access.account SET organisation = 'HP' WHERE username = 'engineer'")
        )
    page = await listed(client, as_("engineer"))
    assert [item["id"] for item in page["items"]] == [sent[2]]
    assert (await client.get(f"{PATH}?facility=MAIN", headers=as_("engineer"))).status_code == 403
    assert (await client.get(f"{PATH}/{sent[0]}", headers=as_("engineer"))).status_code == 403
