"""A consultation for tests: a host, an expert of another campus, a patient by link."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from consortium.teleconsult.rooms.model import Booking, Participant, Place, RoomRole, Session

NOW = datetime(2026, 11, 25, 6, tzinfo=UTC)
CONSULTATION = UUID(int=0xC0)
HOST, EXPERT, PATIENT = UUID(int=0xA1), UUID(int=0xA2), UUID(int=0xA3)
PERSON = UUID(int=0x99)
OPENS, CLOSES = NOW - timedelta(minutes=10), NOW + timedelta(minutes=50)

PLACES = (
    Place(HOST, RoomRole.HOST, "黄医生", "doctor.huangpu"),
    Place(EXPERT, RoomRole.EXPERT, "专家", "doctor.main"),
    Place(PATIENT, RoomRole.PATIENT, "王珅"),
)
BOOKING = Booking(CONSULTATION, "HP", OPENS, CLOSES, PLACES, PERSON)
SESSION = Session(CONSULTATION, "HP", PERSON, OPENS, CLOSES)


def participant(place: Place, **told: object) -> Participant:
    """Return a participant as the table has it."""
    base = {
        "id": place.id,
        "consultation_id": CONSULTATION,
        "role": place.role,
        "shown_as": place.shown_as,
        "username": place.username,
        "opens_at": place.opens_at,
        "closes_at": place.closes_at,
    }
    return Participant(**{**base, **told})  # type: ignore[arg-type]
