"""Load a past window of one open table: what the backfill DAGs call."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from adapters.tables.client import Source
from adapters.tables.poll import Counts, poll_window
from adapters.tables.running import BELOW
from adapters.tables.settings import Campus, campus
from adapters.tables.store import Store
from bus.rules.versions.deciding import deciding
from bus.rules.versions.described import looking
from consortium.errors import RetryableError
from runtime.campuses import of_today
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

    Raises RetryableError (as SourceDownError) or psycopg.OperationalError (try again), SourceShapeError or
    PermanentError (a person is needed).
    """
    described = _described(settings, facility)
    wanted = described.table(table)
    with Source(described, described.url(settings)) as source, Store(settings) as store:
        end = min(until, source.now() - described.lag_time)
        return poll_window(source, store, wanted, since, end, limit=limit)


def _described(settings: Settings, facility: str) -> Campus:
    """Return the campus's open tables as the deployed rules describe them."""
    engine = looking(settings.database_url, "backfill")
    try:
        with engine.connect() as connection, deciding(connection, settings.rules_dir, BELOW) as folder:
            return campus(facility, of_today(folder, settings.rules_dir))
    except sa.exc.OperationalError as error:
        raise RetryableError("the database, which has the deployed rules, cannot be reached") from error
    finally:
        engine.dispose()
