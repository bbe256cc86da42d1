"""Tokens open one room for one person; what the video server tells is believed when it signed it."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from livekit import api

from consortium.errors import SecurityError
from consortium.teleconsult.rooms.livekit import VideoServer
from consortium.teleconsult.rooms.model import STAFF, RoomRole
from tests.unit.consortium.teleconsult.booked import CONSULTATION, PATIENT

KEY = "k" * 64
SERVER = VideoServer("ws://127.0.0.1:1", "http://127.0.0.1:1", "yilian", KEY)
TOLD = {
    "event": "participant_joined",
    "id": "EV_1",
    "createdAt": "1795000000",
    "room": {"name": str(CONSULTATION), "sid": "RM_1"},
    "participant": {
        "identity": str(PATIENT),
        "sid": "PA_1",
        "joinedAt": "1795000000",
        "joinedAtMs": "1795000000250",
    },
    "somethingNewer": 1,
}


def claims(role: RoomRole) -> dict[str, Any]:
    token = SERVER.token(CONSULTATION, PATIENT, role)
    return dict(jwt.decode(token, KEY, algorithms=["HS256"], issuer="yilian"))


@pytest.mark.parametrize("role", list(RoomRole))
def test_a_token_opens_one_room_for_one_id_for_two_minutes_and_names_nobody(role: RoomRole) -> None:
    told = claims(role)
    video = told["video"]
    assert (told["sub"], video["room"], video["roomJoin"]) == (str(PATIENT), str(CONSULTATION), True)
    assert told["exp"] - told["nbf"] == 120
    assert not {"roomAdmin", "roomCreate", "roomList", "roomRecord", "hidden"} & video.keys()
    assert not {"name", "metadata", "attributes"} & {key for key, value in told.items() if value}
    assert video["canPublishData"] is False
    shares = "screen_share" in video["canPublishSources"]
    assert shares is (role in STAFF)


def signed(body: bytes, key: str = KEY, **more: Any) -> str:
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    token = api.AccessToken("yilian", key).with_sha256(digest).with_ttl(timedelta(minutes=5))
    return token.to_jwt()


def test_a_signed_event_is_read() -> None:
    body = json.dumps(TOLD).encode()
    for prefix in ("", "Bearer "):
        event = SERVER.event(body, prefix + signed(body))
        assert (event.id, event.kind, event.room, event.participant) == (
            "EV_1",
            "participant_joined",
            CONSULTATION,
            PATIENT,
        )
        assert event.at == datetime.fromtimestamp(1795000000, UTC)
        assert event.joined_at == event.at + timedelta(milliseconds=250)
        assert event.connection == "PA_1"


def test_another_body_another_key_or_no_signature_is_refused() -> None:
    body = json.dumps(TOLD).encode()
    unsigned = api.AccessToken("yilian", KEY).to_jwt()
    for given, authorization in (
        (body + b" ", signed(body)),
        (body, signed(body, "o" * 64)),
        (body, unsigned),
        (body, ""),
        (b"\xff", signed(b"\xff")),
        (b"no json", signed(b"no json")),
    ):
        with pytest.raises(SecurityError):
            SERVER.event(given, authorization)


def test_a_participants_own_token_signs_no_event() -> None:
    body = json.dumps(TOLD).encode()
    with pytest.raises(SecurityError):
        SERVER.event(body, SERVER.token(CONSULTATION, PATIENT, RoomRole.HOST))


@pytest.mark.parametrize("left_out", ["id", "createdAt"])
def test_an_event_that_would_not_be_known_again_is_refused(left_out: str) -> None:
    body = json.dumps({k: v for k, v in TOLD.items() if k != left_out}).encode()
    with pytest.raises(SecurityError, match="no id or no time"):
        SERVER.event(body, signed(body))


def test_somebody_elses_room_is_none_of_ours() -> None:
    body = json.dumps({**TOLD, "room": {"name": "demo"}, "participant": {"identity": "me"}}).encode()
    event = SERVER.event(body, signed(body))
    assert (event.room, event.participant) == (None, None)
