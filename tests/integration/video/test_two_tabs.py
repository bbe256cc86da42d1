"""Two tabs of a headless Chromium see each other in a booked consultation; a third, uninvited, does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from consortium.access import tokens
from consortium.teleconsult.rooms.livekit import VideoServer
from consortium.teleconsult.rooms.model import RoomRole
from runtime.plan import UnhealthyError
from runtime.services import livekit
from tests.integration.api.conftest import PASSWORD, TOKEN_KEY
from tests.integration.api.video import Consultation, booked
from tests.integration.video.conftest import Video
from tests.interop.node_peers import run

pytestmark = pytest.mark.timeout(1500)  # LiveKit may have to be built


def client(video: Video, user: str) -> httpx.AsyncClient:
    token = tokens.issue(user, TOKEN_KEY, datetime.now(UTC))
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=video.origin, headers=headers, trust_env=False, timeout=30)


async def until(what: str, ask: Callable[[], bool], limit: float = 60) -> None:
    end = time.monotonic() + limit
    while not await asyncio.to_thread(ask):
        assert time.monotonic() < end, f"not within {limit} s: {what}"
        await asyncio.sleep(0.2)


def count(video: Video, question: str, **given: Any) -> int:
    with video.engine.connect() as connection:
        return int(connection.execute(sa.text(question), given).scalar_one())


NOT_BOOKED = {"您不在本次会诊的参加人员之列。", "You are not booked for this consultation."}
STILL_THERE = (
    "SELECT count(*) FROM teleconsult.attendance a JOIN teleconsult.participant p ON p.id = a.participant_id"
    " WHERE p.consultation_id = :id AND (:open = (a.left_at IS NULL))"
)


async def test_two_tabs_see_each_other_and_a_third_is_refused(
    video: Video, chromium: str, tabs: Path
) -> None:
    one = booked(video.engine, Consultation(person=uuid4()))
    async with client(video, "doctor.huangpu") as host:
        link = await host.post(f"/api/v1/video/{one.id}/participants/{one.patient}/invitation")
        seen = await run(
            tabs,
            "tabs.mjs",
            chromium,
            video.origin,
            one.id,
            "doctor.huangpu",
            "doctor.huiya",
            PASSWORD,
            link.json()["path"],
            seconds=240,
        )
        said = [tuple(line) for line in seen if isinstance(line[1], str)]
        assert said[:4] == [
            ("host", "in the room"),
            ("patient", "waits"),
            ("waiting room", "王珅"),
            ("patient", "in the room"),
        ]
        told = {line[0]: line[1] for line in seen}
        assert next(line[1] for line in seen if isinstance(line[1], dict)) == {"connections": 0}
        for side in ("host receives", "patient receives"):
            before, after = told[side]["before"], told[side]["after"]
            assert after["bytes"] > before["bytes"] > 0, side
            assert after["frames"] >= before["frames"] + 30, side
        assert told["stranger"] in NOT_BOOKED
        assert "browser" in told["forwarded link"] or "浏览器" in told["forwarded link"]
        assert told["people in the room"] == 2
        assert told["complaints"] == []
        await until("both have left", lambda: count(video, STILL_THERE, id=one.id, open=True) == 0)
        assert count(video, STILL_THERE, id=one.id, open=False) == 2
        room = (await host.get(f"/api/v1/video/{one.id}")).json()
        there = {person["id"]: person for person in room["participants"]}
        assert len(there[str(one.host)]["present"]) == len(there[str(one.patient)]["present"]) == 1
        assert there[str(one.host)]["present"][0]["since"] <= there[str(one.patient)]["present"][0]["since"]
        assert there[str(one.expert)]["present"] == []
    kinds = "SELECT count(DISTINCT dedupe_key) FROM bus.outbox WHERE payload ->> 'consultation_id' = :id"
    assert count(video, kinds, id=str(one.id)) >= 5, "a room started, two joined, two left"
    log = (video.server.folder.parent / "livekit.log").read_text()
    assert str(one.patient) in log
    assert "王珅" not in log
    assert "黄医生" not in log


async def test_the_video_server_itself_refuses_what_we_did_not_open(video: Video) -> None:
    api = livekit.api_url(video.server.url)
    ours = VideoServer(video.server.url, api, video.server.key_name, video.server.key)
    forged = VideoServer(video.server.url, api, video.server.key_name, "f" * 64)
    room, who = uuid4(), uuid4()

    async def answer(token: str) -> int:
        async with httpx.AsyncClient(trust_env=False) as asked:
            return (await asked.get(f"{api}/rtc/validate", params={"access_token": token})).status_code

    good = ours.token(room, who, RoomRole.HOST)
    assert await answer(good) == 404, "a token does not make a room"
    await ours.open_room(room)
    await ours.open_room(room)
    assert await answer(good) == 200
    assert await answer(forged.token(room, who, RoomRole.HOST)) == 401
    assert await answer(ours.token(room, who, RoomRole.HOST, timedelta(minutes=-5))) == 401
    await ours.send_out(room, who)
    await ours.close_room(room)
    await ours.close_room(room)
    assert await answer(good) == 404, "a closed room stays closed to a token that outlived it"


async def test_our_check_asks_with_our_key(video: Video) -> None:
    url = livekit.api_url(video.server.url)
    assert "0 rooms" in livekit.check(url, video.server.key_name, video.server.key)
    with pytest.raises(UnhealthyError, match="refuses livekit_key_name and livekit_key"):
        livekit.check(url, video.server.key_name, "f" * 64)
