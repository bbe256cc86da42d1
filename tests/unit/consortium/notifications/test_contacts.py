"""Which number of what a desk wrote down takes an SMS."""

from __future__ import annotations

import pytest

from consortium.notifications.contacts import mobile


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("13800138000", "13800138000"),
        (" 138-0013-8000 ", "13800138000"),
        ("+86 138 0013 8000", "13800138000"),
        ("008613800138000", "13800138000"),
        ("１３８００１３８０００", "13800138000"),
        ("13800138000（儿子）", "13800138000"),
        ("020-87755766/13800138000", "13800138000"),
        ("020-87755766", None),
        ("138001380001", None),
        ("无", None),
        ("", None),
        (None, None),
    ],
)
def test_the_first_mobile_number(written: str | None, number: str | None) -> None:
    assert mobile(written) == number
