"""The working calendar of the deployed rule set, for the deadlines of people's steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import sqlalchemy as sa

from bus.rules.versions.current import Current
from consortium.scheduling.calendar_file import FOLDER, NAME, CalendarFile, load
from consortium.scheduling.hours import Calendar, WorkingTime

Calendars = Callable[[sa.Connection], Calendar]
"""Gives working time as the deployed rules have it: `CurrentCalendar`, or a stand-in."""
BELOW = (f"{FOLDER.as_posix()}/",)
"""Where calendars lie in a set."""


class CurrentCalendar:
    """The calendar that deadlines go by, as it is deployed; safe for threads.

    Before the first set is deployed, and where the set is of before calendars were files, it is that of the
    rules folder.
    """

    def __init__(self, rules_dir: Path) -> None:
        """`rules_dir`: the folder of rules."""
        self._dir = rules_dir
        self._current = Current[CalendarFile](rules_dir, BELOW, self._read)

    def __call__(self, connection: sa.Connection) -> WorkingTime:
        """Return it. Raises CalendarFileError, `UnfitFilesError`, OSError."""
        return WorkingTime(self._current.get(connection)[NAME])

    def _read(self, folder: Path) -> Mapping[str, CalendarFile]:
        deployed = (folder / FOLDER / f"{NAME}.yaml").exists()
        return {NAME: load(folder if deployed else self._dir)}
