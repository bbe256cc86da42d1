"""What a patient's link is worth now: the time that it is about, while it is still to come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from consortium.referral import store
from consortium.referral.errors import UnknownReferralError
from consortium.referral.links import Invited
from consortium.referral.model import State, Step
from consortium.referral.table import WITH_TIME

_BOOKED_BY = sa.select(sa.func.max(store.EVENT.c.number)).where(
    store.EVENT.c.referral_id == sa.bindparam("id"),
    store.EVENT.c.step.in_([Step.BOOK.value, Step.RESCHEDULE.value]),
)


def booked_by(connection: sa.Connection, referral: Mapping[str, Any]) -> Invited:
    """Return what a link to the time that is booked now says."""
    number: int = connection.execute(_BOOKED_BY, {"id": referral["id"]}).scalar_one()
    return Invited(referral["id"], number)


def still_good(connection: sa.Connection, invited: Invited, now: datetime) -> store.Row | None:
    """Return the referral of a link; None where another time is booked by now, none is, or it is over."""
    try:
        row = store.get(connection, invited.referral_id)
    except UnknownReferralError:
        return None
    current = State(row["state"]) in WITH_TIME and row["slot_end"] is not None and row["slot_end"] > now
    return row if current and booked_by(connection, row) == invited else None
