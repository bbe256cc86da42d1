"""Master data as plain data, the same for `--json` and the API."""

from __future__ import annotations

from typing import Any

from bus.master_data.standing import Standing
from consortium.terminology.model import Entry, Recorded
from consortium.terminology.service import Imported


def entry_data(entry: Entry) -> dict[str, Any]:
    """Return an entry."""
    return {
        "owner": entry.owner,
        "code": entry.code,
        "name": entry.name,
        "valid_from": entry.valid_from,
        "valid_to": entry.valid_to,
        "attributes": dict(entry.attributes),
    }


def recorded_data(one: Recorded) -> dict[str, Any]:
    """Return a version, with who recorded it when, and from where."""
    return {
        **entry_data(one.entry),
        "version": one.version,
        "recorded_by": one.recorded_by,
        "recorded_at": one.recorded_at,
        "source": one.source,
    }


def imported_data(done: Imported, *, dry_run: bool) -> dict[str, Any]:
    """Return what an import does, or did."""
    return {
        "dry_run": dry_run,
        "added": [entry_data(entry) for entry in done.plan.added],
        "changed": [
            {
                **entry_data(one.entry),
                "differences": [
                    {"field": d.field, "before": d.before, "after": d.after} for d in one.differences
                ],
            }
            for one in done.plan.changed
        ],
        "unchanged": done.plan.unchanged,
        "recorded": len(done.recorded),
    }


def standing_data(one: Standing) -> dict[str, Any]:
    """Return how a subscriber stands."""
    return {
        "name": one.subscriber.name,
        "kinds": list(one.subscriber.kinds),
        "destination": one.subscriber.destination,
        "waiting": one.waiting,
        "oldest_waiting_at": one.oldest,
        "sent_at": one.sent_at,
        "problem": None if one.problem is None else one.problem.text,
    }
