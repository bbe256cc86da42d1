"""Looking at everybody anew: after another model was put in force, or for numbers that were registered before
there was one.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from consortium.identity.cause import Cause
from consortium.identity.census import Census

_NEXT = "SELECT id FROM identity.source_patient WHERE id > %(after)s ORDER BY id LIMIT %(limit)s"


def relink(connection: sa.Connection, after: int, limit: int, at: datetime) -> int | None:
    """Write the blocking keys of the next source patients by id, link them by the model in force, and ask
    about those that need a look.

    To be called again with what it returns, each time in a transaction of its own (READ COMMITTED), until it
    returns None. The same again changes nothing.

    Args:
        after: id of the last one that was looked at; 0 to begin.
        limit: how many at most.
        at: the moment that stands in the ledger with what moves.
    """
    ids = list(connection.exec_driver_sql(_NEXT, {"after": after, "limit": limit}).scalars())
    if not ids:
        return None
    census = Census(connection, (), reconsider=ids)
    census.reconsider(Cause(at))
    census.finish()
    return int(ids[-1])
