"""Video rooms over the API: the booked come in within their time, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from api.app import create_app
from api.platform import Platform
from api.video_closing import look, recount
from consortium.access import audit
from consortium.teleconsult.rooms import service
from consortium.teleconsult.rooms.errors import NotBookableError, VideoAwayError
from consortium.teleconsult.rooms.livekit import There
from consortium.teleconsult.rooms.model import Place, RoomRole
from tests.integration.api.conftest import As, settings_for
from tests.integration.api.video import KEY, URL, Consultation, Remembering, booked, event, remembering

DEVICE = "a browser's own secret"
NOW = datetime.now(UTC).replace(microsecond=0)
SECOND = timedelta(seconds=1)


@pytest.fixture
def server() -> Remembering:
    return remembering()


@pytest.fixture
def app(seeded_url: str, server: Remembering) -> Iterator[FastAPI]:
    settings = settings_for(seeded_url).model_copy(update={"livekit_url": URL, "livekit_key": KEY})
    application = create_app(settings)
    application.state.platform.__dict__["video"] = server
    yield application
    application.state.platform.engine.dispose()


@pytest.fixture
def one(engine: sa.Engine) -> Consultation:
    return booked(engine, Consultation(person=uuid4()))


def path(one: Consultation, *rest: object) -> str:
    return "/".join(("/api/v1/video", str(one.id), *map(str, rest)))


def code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["type"].rsplit(":", 1)[1]


def grants(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, KEY, algorithms=["HS256"], issuer="yilian")
    return claims


def newest(engine: sa.Engine) -> audit.Entry:
    with engine.connect() as connection:
        return audit.entries(connection, limit=1)[0].entry


async def test_a_booked_doctor_enters_a_room_that_was_made(
    client: httpx.AsyncClient, as_: As, one: Consultation, server: Remembering, engine: sa.Engine
) -> None:
    answer = await client.post(path(one, "join"), headers=as_("doctor.huangpu"))
    told = answer.json()
    assert (answer.status_code, told["standing"], told["you"], told["url"]) == (
        200,
        "enter",
        str(one.host),
        URL,
    )
    assert told["keeps_door"] is True
    assert {person["shown_as"] for person in told["people"]} == {"黄医生", "专家", "王珅"}
    claims = grants(told["token"])
    assert (claims["sub"], claims["video"]["room"]) == (str(one.host), str(one.id))
    assert "黄医生" not in str(claims)
    assert server.asked == [("open", one.id, None)]
    entry = newest(engine)
    assert (entry.action, entry.outcome, entry.persons) == ("video.join", "allowed", [one.person])


async def test_nobody_else_enters_and_they_do_not_learn_whether_there_is_such_a_room(
    client: httpx.AsyncClient, as_: As, one: Consultation, server: Remembering, engine: sa.Engine
) -> None:
    for where in (one, Consultation()):
        answer = await client.post(path(where, "join"), headers=as_("doctor.huiya"))
        assert code(answer) == (403, "not-booked")
    assert server.asked == []
    assert (newest(engine).outcome, newest(engine).reason) == ("refused", "room refused: not-booked")
    patient = await client.post(path(one, "join"), headers=as_("patient.demo"))
    assert code(patient) == (403, "not-booked")


@pytest.mark.parametrize(("minutes", "expected"), [(-60, "too-early"), (60, "too-late")])
async def test_outside_the_time_nobody_enters(
    app: FastAPI,
    client: httpx.AsyncClient,
    as_: As,
    one: Consultation,
    server: Remembering,
    minutes: int,
    expected: str,
) -> None:
    parts: Platform = app.state.platform
    app.state.platform = replace(parts, now=lambda: datetime.now(UTC) + timedelta(minutes=minutes))
    app.state.platform.__dict__["video"] = server
    answer = await client.post(path(one, "join"), headers=as_("doctor.huangpu"))
    assert code(answer) == (403, expected)
    app.state.platform.engine.dispose()


async def link(client: httpx.AsyncClient, headers: dict[str, str], one: Consultation) -> str:
    answer = await client.post(path(one, "participants", one.patient, "invitation"), headers=headers)
    assert answer.status_code == 200, answer.text
    start, secret = answer.json()["path"].split("#invitation=")
    assert start == "/video"
    return str(secret)


async def open_link(client: httpx.AsyncClient, secret: str, device: str = DEVICE) -> httpx.Response:
    return await client.post("/api/v1/video/invited/join", json={"invitation": secret, "device": device})


async def test_a_patient_waits_until_somebody_lets_them_in(
    client: httpx.AsyncClient, as_: As, one: Consultation, server: Remembering, engine: sa.Engine
) -> None:
    host = as_("doctor.huangpu")
    secret = await link(client, as_("coordinator.huangpu"), one)
    for _ in range(3):
        waits = (await open_link(client, secret)).json()
        assert (waits["standing"], waits["token"], waits["url"], waits["people"]) == ("wait", None, None, [])
    assert server.asked == []
    room = (await client.get(path(one, "waiting"), headers=host)).json()["items"]
    assert [item["id"] for item in room] == [str(one.patient)]
    admitted = await client.post(path(one, "participants", one.patient, "admit"), headers=host)
    assert admitted.json() == {"id": str(one.patient), "where": "admitted"}
    enters = (await open_link(client, secret)).json()
    claims = grants(enters["token"])
    assert claims["sub"] == str(one.patient)
    assert claims["video"]["canPublishSources"] == ["camera", "microphone"]
    assert enters["keeps_door"] is False
    with engine.connect() as connection:
        reasons = [record.entry.reason for record in audit.entries(connection, limit=20)]
    assert sum("waits to be let in" in reason for reason in reasons) == 1, "asking again is no news"


async def test_a_link_opens_in_one_browser_until_it_is_taken_back(
    client: httpx.AsyncClient, as_: As, one: Consultation
) -> None:
    host = as_("doctor.huangpu")
    first = await link(client, host, one)
    assert (await open_link(client, first)).status_code == 200
    assert code(await open_link(client, first, "somebody else's browser")) == (403, "invitation-in-use")
    second = await link(client, host, one)
    assert code(await open_link(client, first)) == (403, "invitation-revoked")
    assert (await open_link(client, second, "the patient's new telephone")).status_code == 200
    gone = await client.delete(path(one, "participants", one.patient, "invitation"), headers=host)
    assert gone.json()["where"] == "waiting"
    answer = await open_link(client, second, "the patient's new telephone")
    assert code(answer) == (403, "invitation-revoked")
    assert code(await open_link(client, first[:-2] + "xx")) == (403, "invitation-invalid")


async def test_links_are_for_those_without_an_account(
    client: httpx.AsyncClient, as_: As, one: Consultation
) -> None:
    answer = await client.post(
        path(one, "participants", one.expert, "invitation"), headers=as_("doctor.huangpu")
    )
    assert code(answer) == (403, "has-account")


@pytest.mark.parametrize("who", ["doctor.huiya", "coordinator.main"])
async def test_only_doorkeepers_look_after_a_room(
    client: httpx.AsyncClient, as_: As, one: Consultation, who: str
) -> None:
    for method, rest in (
        ("GET", ()),
        ("GET", ("waiting",)),
        ("POST", ("end",)),
        ("POST", ("participants", one.patient, "admit")),
        ("POST", ("participants", one.patient, "remove")),
        ("POST", ("participants", one.patient, "invitation")),
        ("DELETE", ("participants", one.patient, "invitation")),
    ):
        answer = await client.request(method, path(one, *rest), headers=as_(who))
        assert code(answer) == (403, "no-doorkeeper"), (method, rest)


async def test_whoever_is_sent_out_does_not_come_back(
    client: httpx.AsyncClient, as_: As, one: Consultation, server: Remembering
) -> None:
    host = as_("doctor.huangpu")
    secret = await link(client, host, one)
    await client.post(path(one, "participants", one.patient, "admit"), headers=host)
    assert (await open_link(client, secret)).json()["standing"] == "enter"
    answer = await client.post(path(one, "participants", one.patient, "remove"), headers=host)
    assert answer.json()["where"] == "sent_out"
    assert server.asked[-1] == ("send out", one.id, one.patient)
    assert code(await open_link(client, secret)) == (403, "invitation-revoked")
    again = await client.post(path(one, "participants", one.patient, "admit"), headers=host)
    assert code(again) == (409, "conflict")


async def test_what_has_ended_stays_so(
    client: httpx.AsyncClient, as_: As, one: Consultation, server: Remembering, engine: sa.Engine
) -> None:
    host = as_("doctor.huangpu")
    for _ in range(2):
        answer = await client.post(path(one, "end"), headers=host)
        assert answer.json()["ended_at"] is not None
        assert server.asked[-1] == ("close", one.id, None)
    assert code(await client.post(path(one, "join"), headers=host)) == (403, "ended")
    with engine.begin() as connection, pytest.raises(NotBookableError, match="has ended"):
        service.book(connection, one.booking, datetime.now(UTC))


async def tell(client: httpx.AsyncClient, told: tuple[bytes, dict[str, str]]) -> httpx.Response:
    body, headers = told
    return await client.post("/api/v1/video/webhook", content=body, headers=headers)


def outbox(engine: sa.Engine) -> list[dict[str, Any]]:
    asked = "SELECT dedupe_key, payload FROM bus.outbox WHERE destination = 'workflow' ORDER BY id"
    with engine.connect() as connection:
        return [{"key": row.dedupe_key, **row.payload} for row in connection.execute(sa.text(asked))]


async def shown(client: httpx.AsyncClient, as_: As, one: Consultation) -> dict[str, Any]:
    answer = await client.get(path(one), headers=as_("doctor.huangpu"))
    people: list[dict[str, Any]] = answer.json()["participants"]
    return {person["id"]: person for person in people}


async def test_what_the_video_server_tells_is_recorded_once_and_handed_on_once(
    client: httpx.AsyncClient, as_: As, one: Consultation, engine: sa.Engine
) -> None:
    joined = event("participant_joined", one.id, id_="EV_1", at=NOW, who=one.host)
    assert [(await tell(client, joined)).json() for _ in range(3)] == [
        {"outcome": "recorded"},
        {"outcome": "duplicate"},
        {"outcome": "duplicate"},
    ]
    assert outbox(engine) == [
        {
            "key": "consultation-video:EV_1",
            "kind": "participant_joined",
            "consultation_id": str(one.id),
            "participant_id": str(one.host),
            "at": NOW.isoformat(),
        }
    ]
    assert (await shown(client, as_, one))[str(one.host)]["where"] == "inside"


async def test_attendance_is_right_whatever_order_it_is_told_in(
    client: httpx.AsyncClient, as_: As, one: Consultation
) -> None:
    def at(second: int) -> datetime:
        return NOW + second * SECOND

    told = [
        event("participant_left", one.id, id_="E2", at=at(60), who=one.host, connection="A", joined=at(0)),
        event("participant_joined", one.id, id_="E3", at=at(80), who=one.host, connection="B"),
        event("participant_joined", one.id, id_="E1", at=at(0), who=one.host, connection="A"),
        event("room_finished", one.id, id_="E5", at=at(600)),
        event("participant_joined", one.id, id_="E4", at=at(400), who=one.expert, connection="C"),
        event("track_published", one.id, id_="E6", at=at(90), who=one.host, connection="B", joined=at(80)),
    ]
    for each in told:
        assert (await tell(client, each)).status_code == 200
    people = await shown(client, as_, one)
    assert [(p["since"], p["until"]) for p in people[str(one.host)]["present"]] == [
        (stamp(at(0)), stamp(at(600)))
    ]
    assert people[str(one.host)]["seconds"] == 600
    assert people[str(one.expert)]["seconds"] == 200
    assert people[str(one.patient)]["present"] == []


def stamp(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


async def test_what_is_not_signed_is_refused_and_leaves_nothing(
    client: httpx.AsyncClient, one: Consultation, engine: sa.Engine
) -> None:
    body, headers = event("room_started", one.id, id_="EV_9", at=NOW)
    forged = event("room_started", one.id, id_="EV_9", at=NOW, key="another key, of 32 bytes or more")
    for told in ((body + b" ", headers), forged, (body, {})):
        assert code(await tell(client, told)) == (401, "not-signed")
    assert outbox(engine) == []
    assert (await tell(client, (body, headers))).json() == {"outcome": "recorded"}


async def test_somebody_elses_room_is_told_to_nobody(client: httpx.AsyncClient, engine: sa.Engine) -> None:
    other = event("participant_joined", uuid4(), id_="EV_1", at=NOW, who=uuid4())
    assert (await tell(client, other)).json() == {"outcome": "recorded"}
    assert outbox(engine) == []


@pytest.mark.parametrize("who", ["nobody", "unadmitted", "removed"])
async def test_whoever_joins_by_a_token_that_outlived_its_right_is_sent_out(
    client: httpx.AsyncClient, as_: As, one: Consultation, server: Remembering, who: str
) -> None:
    host = as_("doctor.huangpu")
    if who == "removed":
        await client.post(path(one, "participants", one.expert, "remove"), headers=host)
    person: UUID = {"nobody": uuid4(), "unadmitted": one.patient, "removed": one.expert}[who]
    server.asked.clear()
    await tell(client, event("participant_joined", one.id, id_="EV_1", at=NOW, who=person))
    assert server.asked == [("send out", one.id, person)]


async def test_what_failed_while_the_video_server_was_away_is_done_when_it_is_back(
    app: FastAPI, client: httpx.AsyncClient, as_: As, one: Consultation, server: Remembering
) -> None:
    parts: Platform = app.state.platform
    host = as_("doctor.huangpu")
    await tell(client, event("participant_joined", one.id, id_="EV_1", at=NOW, who=one.expert))
    object.__setattr__(server, "away", True)
    for rest in (("join",), ("participants", one.expert, "remove")):
        answer = await client.post(path(one, *rest), headers=host)
        assert code(answer) == (503, "unavailable")
    assert code(await client.post(path(one, "join"), headers=as_("doctor.main"))) == (403, "removed")
    with pytest.raises(VideoAwayError):
        await look(parts, server)
    object.__setattr__(server, "away", False)
    server.asked.clear()
    await look(parts, server)
    await look(parts, server)
    assert server.asked == [("send out", one.id, one.expert)]
    assert (await shown(client, as_, one))[str(one.expert)]["present"][0]["until"] is not None


async def test_attendance_is_mended_by_who_is_there(
    app: FastAPI, client: httpx.AsyncClient, as_: As, one: Consultation, server: Remembering
) -> None:
    long_ago = NOW - timedelta(minutes=4)
    for id_, who in (("A", one.host), ("B", one.expert)):
        joined = event("participant_joined", one.id, id_=id_, at=long_ago, who=who, connection=id_)
        await tell(client, joined)
    there = [There(one.host, "A", long_ago), There(one.patient, "C", long_ago)]
    server.inside[one.id] = [*there, There(uuid4(), "X", long_ago)]
    for _ in range(2):
        await recount(app.state.platform, server)
    people = await shown(client, as_, one)
    assert {name: person["where"] for name, person in people.items()} == {
        str(one.host): "inside",
        str(one.expert): "absent",
        str(one.patient): "inside",
    }
    assert people[str(one.expert)]["present"][0]["until"] is not None
    fresh = event("participant_joined", one.id, id_="D", at=datetime.now(UTC), who=one.expert, connection="D")
    await tell(client, fresh)
    await recount(app.state.platform, server)
    assert (await shown(client, as_, one))[str(one.expert)]["where"] == "inside", "not in the list yet"


async def test_a_room_whose_time_is_over_is_closed_once(
    app: FastAPI, client: httpx.AsyncClient, as_: As, server: Remembering, engine: sa.Engine
) -> None:
    past = Consultation(
        opens_at=datetime.now(UTC) - timedelta(hours=2), closes_at=datetime.now(UTC) - timedelta(hours=1)
    )
    booked(engine, past)
    booked(engine, Consultation())
    await look(app.state.platform, server)
    await look(app.state.platform, server)
    assert server.asked == [("close", past.id, None)]
    assert code(await client.post(path(past, "join"), headers=as_("doctor.huangpu"))) == (403, "ended")


async def test_a_booking_is_moved_and_an_expert_substituted(
    client: httpx.AsyncClient, as_: As, one: Consultation, engine: sa.Engine
) -> None:
    substitute = Place(uuid4(), RoomRole.EXPERT, "另一位专家", "doctor.huiya")
    places = (one.booking.places[0], substitute, one.booking.places[2])
    moved = replace(one.booking, places=places, closes_at=one.closes_at + timedelta(minutes=30))
    with engine.begin() as connection:
        assert service.book(connection, one.booking, NOW) == [], "the same again"
        assert service.book(connection, moved, NOW) == [one.expert]
    assert code(await client.post(path(one, "join"), headers=as_("doctor.main"))) == (403, "not-booked")
    joins = await client.post(path(one, "join"), headers=as_("doctor.huiya"))
    assert joins.json()["standing"] == "enter"
    with engine.begin() as connection:
        assert service.book(connection, one.booking, NOW) == [substitute.id], "and back"
    assert (await client.post(path(one, "join"), headers=as_("doctor.main"))).status_code == 200
    other = replace(Consultation().booking, places=one.booking.places)
    with engine.begin() as connection, pytest.raises(NotBookableError, match="taken by another"):
        service.book(connection, other, NOW)


async def test_without_a_video_server_it_is_said(
    app: FastAPI, client: httpx.AsyncClient, as_: As, one: Consultation
) -> None:
    app.state.platform.__dict__["video"] = None
    answer = await client.post(path(one, "join"), headers=as_("doctor.huangpu"))
    assert code(answer) == (503, "unavailable")
    assert "settings video and livekit_url" in answer.json()["detail"]


async def test_the_page_and_its_files_are_served_with_a_strict_policy(client: httpx.AsyncClient) -> None:
    page = await client.get("/video")
    assert page.status_code == 200
    assert f"connect-src 'self' {URL} " in page.headers["content-security-policy"]
    assert "camera=(self)" in page.headers["permissions-policy"]
    assert "sha384-" in page.text
    for name in ("room.js", "words.js", "room.css"):
        assert (await client.get(f"/video/assets/{name}")).status_code == 200
    assert (await client.get("/video/assets/room.html")).status_code == 404
