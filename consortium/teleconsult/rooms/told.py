"""What the video server told, into the tables: each event once, in whatever order they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from consortium.teleconsult.rooms import decide, store
from consortium.teleconsult.rooms.errors import RoomRefusedError
from consortium.teleconsult.rooms.livekit import Event, There

JOINED, LEFT, ABORTED, FINISHED = (
    "participant_joined",
    "participant_left",
    "participant_connection_aborted",
    "room_finished",
)
REPORTED = frozenset({"room_started", JOINED, LEFT, FINISHED})
"""What a workflow is told."""

_ONCE = text(
    "INSERT INTO teleconsult.webhook_event (id, consultation_id, kind, at)"
    " VALUES (:id, (SELECT consultation_id FROM teleconsult.session WHERE consultation_id = :room),"
    " :kind, :at) ON CONFLICT (id) DO NOTHING"
)
# The room may be over by the word of an event that came first; its time is in whole seconds.
_JOINED = text(
    "INSERT INTO teleconsult.attendance (connection, participant_id, joined_at, left_at)"
    " SELECT :connection, p.id, :joined_at, (SELECT CASE WHEN count(*) > 0"
    "  THEN greatest(min(e.at), :joined_at) END FROM teleconsult.webhook_event e"
    "  WHERE e.consultation_id = :room AND e.kind = 'room_finished'"
    "  AND e.at >= date_trunc('second', CAST(:joined_at AS timestamptz)))"
    " FROM teleconsult.participant p WHERE p.id = :participant AND p.consultation_id = :room"
    " ON CONFLICT (connection) DO NOTHING"
)
_LEFT = text(
    "INSERT INTO teleconsult.attendance AS a (connection, participant_id, joined_at, left_at)"
    " SELECT :connection, p.id, :joined_at, greatest(CAST(:at AS timestamptz), :joined_at)"
    " FROM teleconsult.participant p WHERE p.id = :participant AND p.consultation_id = :room"
    " ON CONFLICT (connection) DO UPDATE SET left_at = excluded.left_at"
)
_FINISHED = text(
    "UPDATE teleconsult.attendance a SET left_at = greatest(a.joined_at, :at)"
    " FROM teleconsult.participant p WHERE p.id = a.participant_id AND p.consultation_id = :room"
    " AND a.left_at IS NULL AND date_trunc('second', a.joined_at) <= :at"
)
_NOT_THERE = text(
    "UPDATE teleconsult.attendance a SET left_at = greatest(a.joined_at, :at)"
    " FROM teleconsult.participant p WHERE p.id = a.participant_id AND p.consultation_id = :room"
    " AND a.left_at IS NULL AND NOT a.connection = ANY(:there) AND a.joined_at < :settled"
)
SETTLED = timedelta(seconds=10)
"""Whoever joined later than so long ago may not be in the video server's list yet."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of an event that had not come before."""

    consultation: UUID | None
    """None: about no room of ours."""
    report: bool
    """Whether its workflow is to be told."""
    intruder: UUID | None = None
    """Who joined and may not be in: the video server is to send them out."""


def record(connection: Connection, event: Event, now: datetime) -> Recorded | None:
    """Record an event in the caller's transaction; None when it came before."""
    values = {"id": event.id, "room": event.room, "kind": event.kind, "at": event.at}
    if connection.execute(_ONCE, values).rowcount == 0:
        return None
    if event.room is None or store.session(connection, event.room) is None:
        return Recorded(None, report=False)
    _attend(connection, event)
    return Recorded(event.room, event.kind in REPORTED, _intruder(connection, event, now))


def recount(connection: Connection, room: UUID, there: Sequence[There], at: datetime) -> None:
    """Mend the attendance by who is in a room at a time: an event that never came says nothing."""
    for one in there:
        values = {"room": room, "participant": one.participant, "connection": one.connection}
        connection.execute(_JOINED, {**values, "joined_at": one.joined_at})
    connections = [one.connection for one in there]
    connection.execute(_NOT_THERE, {"room": room, "there": connections, "at": at, "settled": at - SETTLED})


def _attend(connection: Connection, event: Event) -> None:
    values = {
        "room": event.room,
        "participant": event.participant,
        "connection": event.connection,
        "joined_at": event.joined_at or event.at,
        "at": event.at,
    }
    if event.kind == JOINED and event.participant:
        connection.execute(_JOINED, values)
    elif event.kind in {LEFT, ABORTED} and event.participant and event.joined_at:
        connection.execute(_LEFT, values)
    elif event.kind == FINISHED:
        connection.execute(_FINISHED, {"room": event.room, "at": event.at})


def _intruder(connection: Connection, event: Event, now: datetime) -> UUID | None:
    """Return who joined by a token that outlived its right: sent out, unbooked, or too late."""
    if event.kind != JOINED or event.room is None or event.participant is None:
        return None
    session = store.session(connection, event.room)
    participant = store.participant(connection, event.participant)
    if session is None or participant is None or participant.consultation_id != event.room:
        return event.participant
    try:
        standing = decide.enter(session, participant, now)
    except RoomRefusedError:
        return event.participant
    return None if standing == "enter" else event.participant
