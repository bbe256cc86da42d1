"""What `rules lint` and `rules deploy` look at beside the rules themselves."""

from __future__ import annotations

from adapters import own_doors
from adapters.files import settings as files
from adapters.tables import settings as tables
from bus.campuses import capabilities
from bus.campuses import lint as campuses
from bus.ihe import affinity
from bus.rules import calendars, notifications, recognition
from bus.rules.lint import Check
from runtime.settings import Settings


def checks(settings: Settings) -> tuple[Check, ...]:
    """Return the checks, the same for the command and for the API."""
    campus = (campuses.mistakes, capabilities.mistakes)
    others = (files.mistakes, tables.mistakes, affinity.mistakes, recognition.mistakes)
    return (*campus, *others, calendars.mistakes, notifications.mistakes, own_doors.check(settings))
