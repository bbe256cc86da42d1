"""Who acts for a member of staff who is away, and who has a duty now."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from consortium.notifications import contacts
from consortium.scheduling import absences
from consortium.scheduling.absence import Acting, Duty, who_acts


def duty_at(connection: sa.Connection, facility: str, duty: str, at: datetime) -> Duty:
    """Return a duty with who is away from it at an instant."""
    return absences.duty_of(connection, facility, duty, at)


def acting(known: Duty, username: str, at: datetime) -> str | None:
    """Return who acts for somebody: they themselves, who covers for them, or nobody."""
    found = who_acts(replace(known, holders=(username,)), at)
    return found.username if isinstance(found, Acting) else None


def having(connection: sa.Connection, facility: str, duty: str, at: datetime, code: str = "") -> set[str]:
    """Return who has a duty at a hospital, and who covers for those of them who are away."""
    known = duty_at(connection, facility, duty, at)
    holders = contacts.holders(connection, contacts.Duty(facility, duty, code))
    covers = {acting(known, username, at) for username in holders}
    return {*holders, *filter(None, covers)}
