"""A known control id: retry, conflict, or new again after the window."""

from __future__ import annotations

import pytest

from bus.envelope import Outcome
from bus.inbox.decide import Known, decide

A, B = b"a" * 32, b"b" * 32


@pytest.mark.parametrize(
    ("known", "outcome", "message", "generation"),
    [
        ([], Outcome.STORED, None, 0),
        ([Known(1, 0, A, True)], Outcome.DUPLICATE, 1, 0),
        ([Known(1, 0, B, True)], Outcome.CONFLICT, None, 1),
        ([Known(1, 0, A, False)], Outcome.STORED, None, 1),
        ([Known(1, 0, B, False)], Outcome.STORED, None, 1),
        ([Known(1, 0, A, False), Known(2, 1, B, True)], Outcome.CONFLICT, None, 2),
        ([Known(1, 0, A, False), Known(2, 1, A, True)], Outcome.DUPLICATE, 2, 1),
        ([Known(1, 0, A, True), Known(2, 1, B, True)], Outcome.DUPLICATE, 1, 0),
    ],
)
def test_decide(known: list[Known], outcome: Outcome, message: int | None, generation: int) -> None:
    decision = decide(known, A)
    assert (decision.outcome, decision.id, decision.generation) == (outcome, message, generation)
