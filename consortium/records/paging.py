"""Keyset paging: a page ends with a cursor that says where the next one begins."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from consortium.errors import PermanentError

Row = dict[str, Any]
"""One row as plain values by column name."""


class BadCursorError(PermanentError):
    """A cursor that no page ended with."""

    code = "bad_cursor"
    field = "after"


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, in the order asked for, and where to go on."""

    rows: list[Row]
    after: str | None
    """Cursor of the next page; None at the end."""


def cursor(at: datetime, record: UUID) -> str:
    """Return the cursor that stands behind the record of that time and id."""
    return base64.urlsafe_b64encode(f"{at.isoformat()} {record}".encode()).decode().rstrip("=")


def position(after: str) -> tuple[datetime, UUID]:
    """Return the time and id behind which a page begins.

    Raises:
        BadCursorError: the text is none of `cursor`'s.
    """
    try:
        at, record = base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)).decode().split(" ")
        time = datetime.fromisoformat(at)
        if time.tzinfo is None:
            raise ValueError("a time without a zone")
        return time, UUID(record)
    except (ValueError, binascii.Error) as error:
        raise BadCursorError("the page cursor is not one of ours: start again from the first page") from error


def page(rows: Sequence[Row], limit: int, column: str = "at") -> Page:
    """Cut to `limit` the rows that were read with one more than that; `column` is the time they are in order
    of.
    """
    kept = list(rows[:limit])
    more = len(rows) > limit and bool(kept)
    return Page(kept, cursor(kept[-1][column], kept[-1]["id"]) if more else None)
