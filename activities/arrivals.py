"""Arrivals: a visit at the receiving hospital, as its ADT message recorded it, told to the workflow.

State is compared, not messages followed: whatever was recorded while this did not run is found when it does.
"""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

log = structlog.get_logger("activities.arrivals")

PAUSE = 5.0
"""Seconds between looks."""

# A visit counts that began after the application, not days before the booked time, and in the department that
# accepted, where both are known: a visit for another reason is none.
_TELL = text(
    "INSERT INTO bus.outbox (destination, dedupe_key, payload)"
    " SELECT 'workflow', 'referral-arrived:' || r.id || ':' || e.id,"
    " jsonb_build_object('encounter', e.number)"
    " FROM referral.referral r"
    " JOIN identity.link s ON s.source_patient_id = r.patient_id"
    " JOIN identity.link l ON l.person_id = s.person_id"
    " JOIN records.encounter e ON e.patient_id = l.source_patient_id AND e.facility = r.receiving_facility"
    " WHERE r.state IN ('accepted', 'awaiting_slot', 'booked', 'rescheduled', 'no_show', 'cancel_requested')"
    " AND r.department IS NOT NULL AND NOT e.deleted AND e.status IN ('arrived', 'in_progress', 'finished')"
    " AND e.at >= coalesce(r.slot_start - interval '1 day', r.created_at)"
    " AND coalesce(e.department_code, r.department) = r.department"
    " ON CONFLICT (destination, dedupe_key) DO NOTHING"
)


def tell_arrivals(engine: Engine) -> int:
    """Write an event for each visit that is the arrival of a referral, once; return how many were new."""
    with engine.begin() as connection:
        return connection.execute(_TELL).rowcount


async def watch_arrivals(engine: Engine) -> None:
    """Tell arrivals until cancelled. A database that is away is waited for."""
    while True:
        try:
            told = await asyncio.to_thread(tell_arrivals, engine)
        except OperationalError as error:
            log.warning("arrivals_database_away", error=type(error).__name__)
        else:
            if told:
                log.info("arrivals_told", count=told)
        await asyncio.sleep(PAUSE)
