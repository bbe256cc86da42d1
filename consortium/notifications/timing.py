"""When something may be sent: quiet hours and limits. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta

from consortium.notifications.rendering import ZONE
from consortium.notifications.templates import Quiet

HOUR = timedelta(hours=1)


def hours(quiet: Quiet) -> tuple[time, time]:
    """Return the policy's quiet hours as times."""
    return time.fromisoformat(quiet.begins), time.fromisoformat(quiet.ends)


def quiet_until(now: datetime, begins: time, ends: time) -> datetime | None:
    """Return the end of the quiet hours that a moment is in; None: it is in none. They may pass midnight."""
    local = now.astimezone(ZONE)
    at = local.time()
    inside = begins <= at < ends if begins <= ends else at >= begins or at < ends
    if not inside:
        return None
    day = local.date() if at < ends else local.date() + timedelta(days=1)
    return datetime.combine(day, ends, ZONE)


def free_at(sent: Sequence[datetime], most: int) -> datetime | None:
    """Return when one more fits under a limit an hour; None: now. `sent`: those of the last hour."""
    if len(sent) < most:
        return None
    return sorted(sent)[-most] + HOUR
