"""Load a past window of one open table: what the backfill DAGs call."""

from __future__ import annotations

from datetime import datetime

from adapters.tables.client import Source
from adapters.tables.poll import Counts, poll_window
from adapters.tables.settings import campus
from adapters.tables.store import Store
from runtime.settings import Settings

__all__ = ["Counts", "load_window"]


def load_window(
    settings: Settings,
    table: str,
    since: datetime,
    until: datetime,
    *,
    facility: str = "HY",
    limit: int | None = None,
) -> Counts:
    """Load the rows of one open table whose watermark lies in [since, until) into the inbox.

    Idempotent: the control ids are the live poller's, so a row version that is known is a duplicate without a
    second effect; an older version never overwrites a newer one (`_version`). The live watermark is not
    touched. It stops before rows younger than the campus's lag. `limit`: at most so many rows; None: all.

    Raises SourceDownError or psycopg.OperationalError (try again), SourceShapeError or PermanentError (a
    person is needed).
    """
    described = campus(facility)
    wanted = described.table(table)
    with Source(described, described.url(settings)) as source, Store(settings) as store:
        end = min(until, source.now() - described.lag_time)
        return poll_window(source, store, wanted, since, end, limit=limit)
