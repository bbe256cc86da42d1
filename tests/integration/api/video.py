"""Consultations with rooms for the API's tests, and a stand-in for the video server that remembers."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from livekit import api as livekit

from consortium.teleconsult.rooms import service
from consortium.teleconsult.rooms.errors import VideoAwayError
from consortium.teleconsult.rooms.livekit import There, VideoServer
from consortium.teleconsult.rooms.model import Booking, Place, RoomRole

KEY = "a key of the video server for tests only"
URL = "ws://127.0.0.1:7880"


class Remembering(VideoServer):
    """Signs as the real one; what it is asked to do is kept."""

    asked: list[tuple[str, UUID, UUID | None]]
    inside: dict[UUID, list[There]]
    away: bool

    async def open_room(self, room: UUID) -> None:
        self._ask("open", room, None)

    async def close_room(self, room: UUID) -> None:
        self._ask("close", room, None)

    async def send_out(self, room: UUID, participant: UUID) -> None:
        self._ask("send out", room, participant)

    async def there(self, room: UUID) -> list[There]:
        if self.away:
            raise VideoAwayError("the video server does not answer; try again")
        return self.inside.get(room, [])

    def _ask(self, what: str, room: UUID, participant: UUID | None) -> None:
        if self.away:
            raise VideoAwayError("the video server does not answer; try again")
        self.asked.append((what, room, participant))


def remembering() -> Remembering:
    server = Remembering(URL, "http://127.0.0.1:7880", "yilian", KEY)
    object.__setattr__(server, "asked", [])
    object.__setattr__(server, "inside", {})
    object.__setattr__(server, "away", False)
    return server


@dataclass(frozen=True)
class Consultation:
    """A booked one: Huangpu's doctor is host, the main campus's expert, a patient comes by link."""

    id: UUID = field(default_factory=uuid.uuid4)
    host: UUID = field(default_factory=uuid.uuid4)
    expert: UUID = field(default_factory=uuid.uuid4)
    patient: UUID = field(default_factory=uuid.uuid4)
    person: UUID | None = None
    opens_at: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(minutes=5))
    closes_at: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(minutes=30))

    @property
    def booking(self) -> Booking:
        places = (
            Place(self.host, RoomRole.HOST, "黄医生", "doctor.huangpu"),
            Place(self.expert, RoomRole.EXPERT, "专家", "doctor.main"),
            Place(self.patient, RoomRole.PATIENT, "王珅"),
        )
        return Booking(self.id, "HP", self.opens_at, self.closes_at, places, self.person)


def booked(engine: sa.Engine, one: Consultation) -> Consultation:
    with engine.begin() as connection:
        service.book(connection, one.booking, datetime.now(UTC))
    return one


Told = Callable[..., tuple[bytes, dict[str, str]]]


def event(
    kind: str,
    room: UUID,
    *,
    id_: str,
    at: datetime,
    who: UUID | None = None,
    connection: str = "PA_1",
    joined: datetime | None = None,
    key: str = KEY,
) -> tuple[bytes, dict[str, str]]:
    """Return the body and headers with which the video server tells of something."""
    told: dict[str, object] = {
        "event": kind,
        "id": id_,
        "createdAt": str(int(at.timestamp())),
        "room": {"name": str(room), "sid": "RM_1"},
    }
    if who:
        milliseconds = int((joined or at).timestamp() * 1000)
        told["participant"] = {
            "identity": str(who),
            "sid": connection,
            "joinedAt": str(milliseconds // 1000),
            "joinedAtMs": str(milliseconds),
        }
    body = json.dumps(told).encode()
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    token = livekit.AccessToken("yilian", key).with_sha256(digest).with_ttl(timedelta(minutes=5)).to_jwt()
    return body, {"Authorization": token, "Content-Type": "application/webhook+json"}
