"""What becomes of a delivery that the receiver was asked for."""

from __future__ import annotations

from typing import Literal

import pytest

from bus.delivery.decide import State
from bus.delivery.transport import Found
from bus.delivery.verifying import decided
from bus.rules.sending.verify import Verify


@pytest.mark.parametrize(
    ("found", "not_found", "state", "code"),
    [
        (Found.THERE, "person", State.DELIVERED, "verified"),
        (Found.THERE, "resend", State.DELIVERED, "verified"),
        (Found.NOT_THERE, "person", State.AMBIGUOUS, "not_found"),
        (Found.NOT_THERE, "resend", State.QUEUED, "not_arrived"),
    ],
)
def test_what_is_told_decides(
    found: Found, not_found: Literal["person", "resend"], state: State, code: str
) -> None:
    outcome = decided(Verify(not_found=not_found), found)
    assert outcome is not None
    assert (outcome.state, outcome.code) == (state, code)


def test_what_is_not_told_decides_nothing() -> None:
    assert decided(Verify(not_found="resend"), Found.UNTOLD) is None
