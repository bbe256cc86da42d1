"""How long a poller waits."""

from __future__ import annotations

import pytest

from adapters.waiting import wait
from consortium.errors import PermanentError, RetryableError


@pytest.mark.parametrize(
    ("interval", "failures", "error", "seconds"),
    [
        (1, 1, RetryableError("away"), 2),
        (1, 3, RetryableError("away"), 8),
        (1, 9, RetryableError("away"), 10),
        (1, 9, OSError("away"), 10),
        (1, 9, PermanentError("the password is wrong"), 60),
        (300, 5, RetryableError("away"), 300),
        (1, 100_000, RetryableError("away"), 10),
    ],
)
def test_longer_after_each_failure_and_never_more_often_than_it_polls(
    interval: float, failures: int, error: Exception, seconds: float
) -> None:
    assert wait(interval, failures, error, 1.0) == seconds
    assert wait(interval, failures, error, 0.0) == seconds / 2
