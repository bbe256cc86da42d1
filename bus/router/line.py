"""Who stands before whom: what is held or put off keeps back what follows of the same patients."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bus.router.work import HELD, Row


class Line:
    """The rows of one batch, in inbox order."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._blockers: dict[int, tuple[int, int]] = {}
        self._stopped: dict[int, datetime] = {}
        for row in rows:
            if row.state == HELD:
                self.block(row)

    def block(self, row: Row) -> None:
        """A held row: later ones of its patients wait."""
        for key in row.keys:
            self._blockers[key] = min((row.place, row.id), self._blockers.get(key, (row.place, row.id)))

    def blocker(self, row: Row) -> int | None:
        """Return the held message that stands before this one."""
        mine = (row.place, row.id)
        before = [b for key in row.keys if (b := self._blockers.get(key)) is not None and b < mine]
        return min(before)[1] if before else None

    def stop(self, row: Row, until: datetime) -> None:
        """A row that was put off: what must not pass a held message of its patients does not pass it."""
        for key in row.keys:
            self._stopped[key] = max(until, self._stopped.get(key, until))

    def put_off(self, row: Row) -> datetime | None:
        """Return until when one before this row was put off."""
        return max((at for key in row.keys if (at := self._stopped.get(key)) is not None), default=None)
