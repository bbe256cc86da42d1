"""What is booked: a session, its participants, their invitations."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID


class RoomRole(enum.StrEnum):
    """What somebody is in a room."""

    HOST = "host"
    """The attending doctor, who has the patient's consultation."""
    EXPERT = "expert"
    CLINICIAN = "clinician"
    """Takes part, and lets nobody in."""
    PATIENT = "patient"
    FAMILY = "family"


STAFF = frozenset({RoomRole.HOST, RoomRole.EXPERT, RoomRole.CLINICIAN})
LET_IN = frozenset(RoomRole) - STAFF
"""Who waits until somebody lets them in."""
DOORKEEPERS = frozenset({RoomRole.HOST, RoomRole.EXPERT})
"""Who lets in, sends out and ends."""
WAITS = timedelta(seconds=15)
"""Whoever has not asked for so long has left the waiting room."""


@dataclass(frozen=True, slots=True)
class Place:
    """A participant to be booked."""

    id: UUID
    role: RoomRole
    shown_as: str
    """What the others read; the video server is never told."""
    username: str | None = None
    """Account; None: comes by a link."""
    opens_at: datetime | None = None
    closes_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Booking:
    """A consultation that is to have a room. Times have a zone."""

    consultation_id: UUID
    organisation: str
    """Campus that holds it."""
    opens_at: datetime
    """From when people may enter: the appointment, and some minutes for those who are early."""
    closes_at: datetime
    """When everybody is sent out."""
    places: Sequence[Place]
    patient: UUID | None = None
    """Golden person it is about."""


@dataclass(frozen=True, slots=True)
class Session:
    """A booked session."""

    consultation_id: UUID
    organisation: str
    patient: UUID | None
    opens_at: datetime
    closes_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody booked, and how far they are in."""

    id: UUID
    consultation_id: UUID
    role: RoomRole
    shown_as: str
    username: str | None
    opens_at: datetime | None
    closes_at: datetime | None
    waiting_since: datetime | None = None
    waiting_seen: datetime | None = None
    admitted_at: datetime | None = None
    removed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link for one person."""

    id: UUID
    participant_id: UUID
    expires_at: datetime
    device: bytes | None = None
    """Hash of the key of the browser that opened it first; None: nobody has."""
    revoked_at: datetime | None = None
