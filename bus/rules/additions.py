"""Codes that people map while the bus runs, taken into the tables of a rule set between two batches."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from bus.rules.codes import CodeTable, Target
from consortium.terminology import maps
from consortium.terminology.maps import MapEntry


def target_of(entry: MapEntry) -> Target:
    """Return what an addition says its code means."""
    return Target(
        entry.target,
        entry.name,
        entry.system,
        entry.valid_from,
        entry.valid_to,
        entry.relationship,
        entry.owner,
    )


class Additions:
    """What was mapped since the files of one rule set were read. Shared by the threads that decide by it."""

    def __init__(self, tables: Mapping[str, CodeTable]) -> None:
        self._tables = tables
        self._newest = 0

    def refresh(self, connection: sa.Connection) -> int:
        """Take in what is new and keep it so until the transaction ends; returns the newest entry's id.

        Nobody maps a code while a batch is under way (`maps.hold_still`): so the tables are the same for a
        whole batch, and a message held for a code is seen by whoever maps that code afterwards.
        """
        maps.hold_still(connection)
        for entry in maps.after(connection, self._newest):
            table = self._tables.get(entry.code_table)
            if table is not None:
                table.add((entry.facility, entry.code), target_of(entry))
            self._newest = max(self._newest, entry.id)
        return self._newest
