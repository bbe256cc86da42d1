"""The video server: tokens for it, its rooms, and what it tells. It knows ids and no names."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
from google.protobuf.json_format import ParseError
from jwt import InvalidTokenError
from livekit import api
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.room import (
    CreateRoomRequest,
    DeleteRoomRequest,
    ListParticipantsRequest,
    RoomParticipantIdentity,
)
from livekit.protocol.webhook import WebhookEvent

from consortium.errors import SecurityError
from consortium.teleconsult.rooms.errors import VideoAwayError
from consortium.teleconsult.rooms.model import STAFF, RoomRole

LIFETIME = timedelta(minutes=2)
"""How long a token opens the door; who is in stays, by the server's own renewals."""
EMPTY = 10 * 60
"""Seconds that a room stays open with nobody in it; entering makes it anew."""
PATIENCE = 5.0
"""Seconds that one call may take."""
_UNSIGNED = (InvalidTokenError, ParseError, ValueError)
_EVERYBODY = ["camera", "microphone"]
_STAFF_TOO = ["screen_share", "screen_share_audio"]


@dataclass(frozen=True, slots=True)
class Event:
    """What the video server told."""

    id: str
    kind: str
    at: datetime
    room: UUID | None
    """The consultation, as the room is named; None: another's room."""
    participant: UUID | None = None
    connection: str = ""
    joined_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class There:
    """Somebody who is in a room now."""

    participant: UUID
    connection: str
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class VideoServer:
    """Where it is, and the key it shares with us."""

    url: str
    """As browsers reach it, ws:// or wss://."""
    api_url: str
    """As this program reaches it, http:// or https://."""
    key_name: str
    key: str

    def token(self, room: UUID, participant: UUID, role: RoomRole, lifetime: timedelta = LIFETIME) -> str:
        """Return a token that opens one room for one person, with what their role may do there."""
        grants = api.VideoGrants(
            room_join=True,
            room=str(room),
            can_publish=True,
            can_subscribe=True,
            can_publish_data=False,
            can_publish_sources=_EVERYBODY + (_STAFF_TOO if role in STAFF else []),
            can_update_own_metadata=False,
        )
        token = api.AccessToken(self.key_name, self.key).with_identity(str(participant))
        return str(token.with_ttl(lifetime).with_grants(grants).to_jwt())

    async def open_room(self, room: UUID) -> None:
        """Make the room unless it is there. Raises VideoAwayError."""
        wanted = CreateRoomRequest(name=str(room), empty_timeout=EMPTY, departure_timeout=EMPTY)
        async with self._asked() as asked:
            await asked.room.create_room(wanted)

    async def close_room(self, room: UUID) -> None:
        """Send everybody out and end the room; one that is not there is closed. Raises VideoAwayError."""
        async with self._asked() as asked:
            await asked.room.delete_room(DeleteRoomRequest(room=str(room)))

    async def send_out(self, room: UUID, participant: UUID) -> None:
        """End somebody's connections; who is not there is out. Raises VideoAwayError."""
        async with self._asked() as asked:
            there = await asked.room.list_participants(ListParticipantsRequest(room=str(room)))
            for one in there.participants:
                if _person(one.identity) == participant:
                    out = RoomParticipantIdentity(room=str(room), identity=one.identity)
                    await asked.room.remove_participant(out)

    async def there(self, room: UUID) -> list[There]:
        """Return who is in a room, nobody where there is none. Raises VideoAwayError."""
        found: list[There] = []
        async with self._asked() as asked:
            listed = await asked.room.list_participants(ListParticipantsRequest(room=str(room)))
            for one in listed.participants:
                who, since = _person(one.identity), _joined(one)
                if who is not None and since is not None:
                    found.append(There(who, one.sid, since))
        return found

    @asynccontextmanager
    async def _asked(self) -> AsyncIterator[Any]:
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        try:
            async with api.LiveKitAPI(
                self.api_url, self.key_name, self.key, timeout=timeout, failover=False
            ) as asked:
                yield asked
        except api.ServerError as error:
            if error.code != api.ServerErrorCode.NOT_FOUND:
                raise VideoAwayError(f"the video server refused: {error.code}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise VideoAwayError("the video server does not answer; try again") from error

    def event(self, body: bytes, authorization: str) -> Event:
        """Return what a webhook tells. Raises SecurityError when the video server did not sign just this."""
        receiver = api.WebhookReceiver(api.TokenVerifier(self.key_name, self.key))
        try:
            told = receiver.receive(body.decode(), authorization.removeprefix("Bearer ").strip())
        except Exception as error:
            # The library raises Exception itself when the digest is another.
            if type(error) is not Exception and not isinstance(error, _UNSIGNED):
                raise
            raise SecurityError("the webhook is not what our video server signed") from error
        if not told.id or not told.created_at:
            raise SecurityError("the webhook has no id or no time, by which it would be known again")
        return _event(told)


def _event(told: WebhookEvent) -> Event:
    person = told.participant
    return Event(
        id=told.id,
        kind=told.event,
        at=datetime.fromtimestamp(told.created_at, UTC),
        room=_uuid(told.room.name),
        participant=_person(person.identity),
        connection=person.sid,
        joined_at=_joined(person),
    )


def _joined(person: ParticipantInfo) -> datetime | None:
    milliseconds = person.joined_at_ms or person.joined_at * 1000
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None


def _person(identity: str) -> UUID | None:
    """Return whose identity it is: a second connection that only sends has `#…` behind the person's."""
    return _uuid(identity.partition("#")[0])


def _uuid(text: str) -> UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
