"""An import and what subscribers are told of it, in one transaction."""

from __future__ import annotations

import sqlalchemy as sa

from bus.master_data import outbox
from consortium.terminology import service
from consortium.terminology.csv_form import Rows
from consortium.terminology.service import Import, Imported


def import_rows(
    connection: sa.Connection, what: Import, rows: Rows, *, by: str, dry_run: bool = False
) -> Imported:
    """Record what is new and put a row for each change and subscriber into the outbox.

    Raises `consortium.terminology.errors.InvalidFileError`.
    """
    done = service.take_in(connection, what, rows, by=by, dry_run=dry_run)
    outbox.publish_entries(connection, what.kind.value, done.recorded)
    return done
