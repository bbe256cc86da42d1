"""Plays a day of Huiya: edits its tables, phase after phase, each when the platform has read the one before.

A hospital that shows its tables is answered by nobody; that its reader has a version is the acknowledgement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from adapters.tables.codec import DELETED
from adapters.tables.rows import version
from runtime.settings import Settings
from simulators.delivery import Answer, Delivery
from simulators.huiya import tables
from simulators.huiya.day import day
from simulators.huiya.desk import Edit, Phase
from simulators.plan import Plan

PHASES: tuple[Phase, ...] = (0, 1, 2)

Read = Callable[[Sequence[tuple[str, str]]], None]
"""Returns when the inbox has all those (sender, control id)."""


def play(settings: Settings, plan: Plan, read: Read) -> list[Delivery]:
    """Make the day's edits; `read` waits for the platform. Raises what `read` raises, psycopg.Error."""
    edits = day(plan.seed, plan.day, plan.scale)
    named = list(zip(edits, control_ids(edits), strict=True))
    tables.prepare(settings.huiya_url)
    for phase in PHASES:
        tables.play(settings.huiya_url, edits, plan.day, plan.scale, phase)
        read([(edit.table, control_id) for edit, control_id in named if edit.phase <= phase])
    stored = Answer(True, "AA")
    return [Delivery(edit.table, control_id, edit.expect, stored) for edit, control_id in named]


def control_ids(edits: Sequence[Edit]) -> list[str]:
    """Return by which control id the tables adapter knows each edit, up to its `#`. Edits are in order."""
    last: dict[tuple[str, str], datetime] = {}
    ids = []
    for edit in edits:
        place = (edit.table, edit.key)
        if edit.row is None:
            ids.append(f"{edit.key}@{version(last[place])}{DELETED}")
        else:
            last[place] = edit.updated_at
            ids.append(f"{edit.key}@{version(edit.updated_at)}")
    return ids
