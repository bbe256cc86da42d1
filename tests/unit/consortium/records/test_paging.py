"""Cursors."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consortium.records.paging import BadCursorError, cursor, page, position

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=8))])


@given(st.datetimes(timezones=ZONES), st.uuids())
def test_a_cursor_says_where_it_stands(at: datetime, record: UUID) -> None:
    assert position(cursor(at, record)) == (at, record)


@pytest.mark.parametrize(
    "text", ["", "x", "页", "MjAyNi0xMS0yMCB4", "MjAyNi0xMS0yMFQwMDowMDowMCAwMDAw", "=" * 9]
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadCursorError):
        position(text)


@given(st.text())
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    try:
        at, record = position(text)
    except BadCursorError:
        return
    assert at.tzinfo is not None
    assert isinstance(record, UUID)


def test_the_last_page_has_no_cursor() -> None:
    assert page([], 5).after is None
