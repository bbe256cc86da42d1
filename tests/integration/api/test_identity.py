"""Who is who, over the API: reviews, decisions, people, undoing, and who may."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from consortium.access import audit
from consortium.identity import candidates
from consortium.records import service as records
from consortium.records.model import Change, Kind
from tests.integration.api.conftest import As
from tests.integration.api.records import lab
from tests.integration.consortium.identity.pairs import (
    NOW,
    PEOPLE,
    open_review,
    person_of,
    provenance,
    register,
)

PATH = "/api/v1/identity"
WANG, OUYANG, *_ = PEOPLE


@dataclass(frozen=True)
class Queue:
    """Two numbers, one of MAIN and one of HP, about which a review is open."""

    left: int
    right: int
    review: UUID


@pytest.fixture
def queue(engine: sa.Engine) -> Queue:
    with engine.begin() as connection:
        left = register(connection, 1, "MAIN", WANG.as_patient("M1", id_card=None))
        patient = OUYANG.as_patient("H1", id_card=None)
        right = register(connection, 2, "HP", patient)
        report = Change(kind=Kind.REPORT, patient=patient, reports=(lab("R1"),))
        records.apply(connection, report, provenance(3, "HP"))
        return Queue(left, right, open_review(connection, left, right))


def last_audit(engine: sa.Engine) -> audit.Entry:
    with engine.connect() as connection:
        return audit.entries(connection, limit=1)[0].entry


def persons(engine: sa.Engine, queue: Queue) -> tuple[UUID, UUID]:
    with engine.connect() as connection:
        return person_of(connection, queue.left), person_of(connection, queue.right)


async def post(
    client: httpx.AsyncClient, path: str, headers: dict[str, str], status: int = 200, **body: Any
) -> Any:
    answer = await client.post(PATH + path, headers=headers, json=body or None)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_coordinator_looks_decides_and_undoes(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine, queue: Queue
) -> None:
    me = as_("coordinator.huangpu")
    listed = (await client.get(f"{PATH}/reviews", headers=me)).json()
    [line] = listed["items"]
    assert (line["id"], line["facilities"], line["state"]) == (str(queue.review), ["MAIN", "HP"], "open")
    assert "王" not in str(listed)
    shown = (await client.get(f"{PATH}/reviews/{queue.review}", headers=me)).json()
    assert [shown[side]["facts"]["name"] for side in ("left", "right")] == ["王珅", "欧阳倩"]
    assert shown["right"]["records"] == {"report": 1}
    assert {one["field"]: one["agree"] for one in shown["compared"]}["sex"] is False
    assert shown["waterfall"][1]["says"]["zh"].startswith("姓名一致")
    assert "against one person" in shown["waterfall"][0]["says"]["en"]
    assert set(last_audit(engine).persons) == set(persons(engine, queue))

    await post(client, f"/reviews/{queue.review}/claim", me)
    decided = await post(client, f"/reviews/{queue.review}/decide", me, says="same", why="护照一致")
    assert (decided["state"], decided["decision"], decided["decided_by"]) == (
        "decided",
        "same",
        "coordinator.huangpu",
    )
    left, right = persons(engine, queue)
    assert left == right
    entry = last_audit(engine)
    assert (entry.action, entry.outcome) == ("identity.decide", "allowed")
    assert "护照一致" in entry.reason

    again = await post(client, f"/reviews/{queue.review}/undo", me, why="看错了")
    assert (again["state"], again["id"] != decided["id"]) == ("open", True)
    left, right = persons(engine, queue)
    assert left != right


async def test_of_two_the_later_is_told(client: httpx.AsyncClient, as_: As, queue: Queue) -> None:
    await post(client, f"/reviews/{queue.review}/claim", as_("coordinator.main"))
    late = await post(client, f"/reviews/{queue.review}/claim", as_("coordinator.huangpu"), 409)
    assert late["type"] == "urn:yilian:problem:conflict"
    assert "coordinator.main has claimed it" in late["detail"]
    decision: dict[str, Any] = {"says": "same", "why": "x"}
    await post(client, f"/reviews/{queue.review}/decide", as_("coordinator.huangpu"), 409, **decision)
    await post(client, f"/reviews/{queue.review}/release", as_("admin"))
    await post(client, f"/reviews/{queue.review}/decide", as_("coordinator.huangpu"), **decision)
    await post(client, f"/reviews/{queue.review}/decide", as_("admin"), 409, **decision)
    mine = await client.get(
        f"{PATH}/reviews", headers=as_("coordinator.huangpu"), params={"mine": True, "state": "decided"}
    )
    assert [one["id"] for one in mine.json()["items"]] == [str(queue.review)]


async def test_who_has_nothing_to_do_with_it_is_refused(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine, queue: Queue
) -> None:
    path = f"{PATH}/reviews/{queue.review}"
    assert (await client.get(path)).status_code == 401
    for user in ("coordinator.huiya", "doctor.main", "ops", "manager.group", "patient.demo"):
        assert (await client.get(path, headers=as_(user))).status_code == 403, user
        await post(client, f"/reviews/{queue.review}/decide", as_(user), 403, says="same", why="x")
    assert (await client.get(f"{PATH}/reviews", headers=as_("coordinator.huiya"))).json()["items"] == []
    elsewhere = await client.get(
        f"{PATH}/reviews", headers=as_("coordinator.huiya"), params={"facility": "HP"}
    )
    assert elsewhere.status_code == 403
    left, right = persons(engine, queue)
    assert left != right
    gone = await client.get(f"{PATH}/reviews/{UUID(int=1)}", headers=as_("admin"))
    assert gone.status_code == 404


async def test_what_fails_leaves_neither_a_decision_nor_a_line_in_the_audit(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = persons(engine, queue)

    def away(*_: object) -> None:
        raise RuntimeError("after the decision")

    shown = candidates.candidates
    calls: list[int] = []

    def second_fails(*arguments: Any) -> Any:
        calls.append(1)
        return shown(*arguments) if len(calls) == 1 else away()

    monkeypatch.setattr("api.v1.identity_reviews.candidates", second_fails)
    await post(client, f"/reviews/{queue.review}/decide", as_("admin"), 500, says="same", why="x")
    assert persons(engine, queue) == before
    with engine.connect() as connection:
        assert not [
            one for one in audit.entries(connection, limit=9) if one.entry.action == "identity.decide"
        ]


async def test_a_registrar_decides_without_a_review(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine, queue: Queue
) -> None:
    me = as_("coordinator.main")
    pair: dict[str, Any] = {
        "left": {"facility": "HP", "number": "H1"},
        "right": {"facility": "MAIN", "number": "M1"},
        "says": "same",
        "why": "护照一致",
    }
    done = await post(client, "/decisions", me, **pair)
    [person] = done["persons"]
    shown = (await client.get(f"{PATH}/persons/{person}", headers=me)).json()
    assert {one["number"] for one in shown["numbers"]} == {"M1", "H1"}
    golden = {one["field"]: one for one in shown["golden"]}
    assert golden["name"]["rule"] == "most_recent"
    assert golden["name"]["source"] == {"facility": "HP", "number": "H1"}
    assert golden["name"]["says"]["zh"] == "最近更新"
    assert [(one["by_user"], one["reason"]) for one in shown["ledger"] if one["by_user"]] == [
        ("coordinator.main", "护照一致")
    ]
    [decision] = shown["decisions"]
    assert (decision["says"], decision["revoked_at"]) == ("same", None)
    one = (await client.get(f"{PATH}/decisions/{decision['id']}", headers=me)).json()
    assert one == decision
    await post(client, f"/decisions/{decision['id']}/revoke", me, why="看错了")
    left, right = persons(engine, queue)
    assert left != right
    await post(client, f"/decisions/{decision['id']}/revoke", me, 409, why="再来")
    assert (await client.get(f"{PATH}/persons/{UUID(int=3)}", headers=me)).status_code == 404


async def test_a_line_of_the_ledger_is_undone(client: httpx.AsyncClient, as_: As, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        left = register(connection, 1, "MAIN", WANG.as_patient("M1"))
        right = register(connection, 2, "HP", WANG.as_patient("H1"))
        person = person_of(connection, left)
        assert person_of(connection, right) == person, "by the card"
    me, number = as_("admin"), {"facility": "HP", "number": "H1"}
    separated = await post(client, f"/persons/{person}/separate", me, numbers=[number], why="借用证件")
    assert separated["persons"] != [str(person)]
    pair: dict[str, Any] = {"left": number, "right": {"facility": "MAIN", "number": "M1"}}
    late = await post(client, "/decisions", me, 409, **pair, says="same", why="x")
    assert "says the opposite" in late["detail"]
    shown = (await client.get(f"{PATH}/persons/{person}", headers=me)).json()
    line = [one for one in shown["ledger"] if one["from_person"]][-1]
    await post(client, f"/ledger/{line['id']}/undo", as_("coordinator.huiya"), 403, why="x")
    undone = await post(client, f"/ledger/{line['id']}/undo", me, why="是本人")
    assert undone == {"decisions": separated["decisions"], "persons": [str(person)]}
    await post(client, f"/ledger/{10**9}/undo", me, 404, why="x")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"numbers": [{"facility": "MAIN", "number": "M1"}], "why": "x"}, 400),
        ({"numbers": [], "why": "x"}, 422),
        ({"numbers": [{"facility": "MAIN", "number": "nobody"}], "why": "x"}, 404),
        ({"numbers": [{"facility": "MAIN", "number": "M1"}], "why": ""}, 422),
    ],
)
async def test_a_split_that_cannot_be_is_refused(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine, queue: Queue, body: dict[str, Any], status: int
) -> None:
    person, _ = persons(engine, queue)
    answer = await client.post(f"{PATH}/persons/{person}/separate", headers=as_("admin"), json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_newborn_has_a_mother_and_is_not_her(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine
) -> None:
    with engine.begin() as connection:
        mother = register(connection, 1, "MAIN", OUYANG.as_patient("M1"))
        child = register(connection, 2, "MAIN", OUYANG.as_patient("M2"))
        assert person_of(connection, mother) == person_of(connection, child), "under her name and card"
    me = as_("coordinator.main")
    body: dict[str, Any] = {
        "child": {"facility": "MAIN", "number": "M2"},
        "mother": {"facility": "MAIN", "number": "M1"},
        "why": "产科登记",
    }
    made = await post(client, "/relations", me, **body)
    assert made["child_person"] != made["mother_person"]
    await post(client, "/relations", me, 409, **body)
    await post(client, "/relations", as_("coordinator.huiya"), 403, **body)
    for side in ("child_person", "mother_person"):
        shown = (await client.get(f"{PATH}/persons/{made[side]}", headers=me)).json()
        assert [one["id"] for one in shown["relations"]] == [made["id"]]
    ended = await post(client, f"/relations/{made['id']}/end", me, why="登记错误")
    assert ended["ended_by"] == "coordinator.main"
    await post(client, f"/relations/{made['id']}/end", me, 409, why="x")
    shown = (await client.get(f"{PATH}/persons/{made['mother_person']}", headers=me)).json()
    assert (shown["relations"], [one["says"] for one in shown["decisions"]]) == ([], ["different"])


async def test_the_dashboard_counts(
    client: httpx.AsyncClient, app: FastAPI, as_: As, engine: sa.Engine, queue: Queue
) -> None:
    app.state.platform = replace(app.state.platform, now=lambda: NOW + timedelta(days=1))
    await post(client, f"/reviews/{queue.review}/decide", as_("admin"), says="different", why="x")
    with engine.begin() as connection:
        register(connection, 10, "MAIN", PEOPLE[2].as_patient("M7"))
        register(connection, 11, "MAIN", PEOPLE[2].as_patient("M8"))
        register(connection, 12, "HY", PEOPLE[2].as_patient("Y7"))
        register(connection, 13, "HP", PEOPLE[4].as_patient("H1", id_card=None))
    shown = (await client.get(f"{PATH}/dashboard", headers=as_("manager.group"))).json()
    main = {one["facility"]: one for one in shown["campuses"]}["MAIN"]
    assert (main["numbers"], main["people"], main["duplicates"]) == (3, 2, 1)
    assert main["duplicate_rate"] == pytest.approx(1 / 3)
    assert (main["linked_across"], shown["linked_across"], shown["people"]) == (1, 1, 3)
    [overlay] = shown["overlays"]
    assert (overlay["facility"], overlay["message_id"]) == ("HP", 13)
    reviews = shown["reviews"]
    assert (reviews["open"], reviews["weighed"], reviews["agreed"], reviews["agreement"]) == (0, 1, 0, 0.0)
    assert sum(day["decided"] for day in reviews["days"]) == 1
    own = (await client.get(f"{PATH}/dashboard", headers=as_("coordinator.huiya"))).json()
    assert [one["facility"] for one in own["campuses"]] == ["HY"]
    assert (await client.get(f"{PATH}/dashboard", headers=as_("doctor.main"))).status_code == 403
    empty = await client.get(f"{PATH}/registrations", headers=as_("ops"))
    assert empty.json() == {"items": [], "next": None, "campuses": []}
