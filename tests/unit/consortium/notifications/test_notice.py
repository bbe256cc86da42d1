"""Whom a notice is for: one, and somebody."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from consortium.notifications.model import Notice, NoticeError, Party

ABOUT: dict[str, Any] = {
    "workflow_id": "referral-1",
    "step": "told",
    "subject": "referral",
    "subject_id": uuid4(),
    "facility": "HP",
}


@pytest.mark.parametrize(
    ("whom", "audience"),
    [
        ({"recipient": "coordinator.huangpu"}, "staff"),
        ({"duty": "referral_coordinator"}, "referral_coordinator"),
        ({"duty": "department", "recipient": "0301"}, "department"),
        ({"person_id": uuid4()}, "patient"),
    ],
)
def test_it_is_for_an_account_a_duty_or_a_patient(whom: dict[str, Any], audience: str) -> None:
    assert Notice(**ABOUT, **whom).audience == audience


@pytest.mark.parametrize(
    "whom", [{}, {"duty": "staff"}, {"duty": "patient"}, {"person_id": uuid4(), "recipient": "doctor.main"}]
)
def test_it_is_not_for_nobody_or_for_two(whom: dict[str, Any]) -> None:
    with pytest.raises(NoticeError):
        Notice(**ABOUT, **whom)


def test_a_party_is_read_as_it_is_written() -> None:
    for party in (Party.staff("a:b"), Party.person(uuid4()), Party.nobody("HP", "duty", None)):
        assert Party.read(str(party)) == party
