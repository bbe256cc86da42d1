"""A demonstration ends, with a sentence, as soon as something is not as promised."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from consortium.referral.model import State, Words
from simulators.delivery import SimulatorError
from simulators.demos.narration import Narration
from simulators.demos.office import Office, awaited
from simulators.demos.referral_case import Case
from simulators.huangpu.account import Account

SAID = Words("takes it", "受理")
STANDING = {"state": "submitted", "owner": "receiving_coordinator", "owner_facility": "MAIN",
            "deadline_at": "2026-11-25T09:00:00+08:00"}  # fmt: skip


class Platform:
    """Answers as it is told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.status, self.body = 200, dict[str, object](STANDING)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(self.status, text=json.dumps(self.body))


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def case(platform: Platform, lines: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    monkeypatch.setattr(Account, "token", lambda _self: "a token")
    with Office("http://yilian", "password", "run", httpx.MockTransport(platform)) as office:
        made = Case(office, Narration(lines.append))
        made.id = "5e0c"
        yield made


def test_a_step_is_told_in_both_languages_with_the_state_that_the_api_answered(
    case: Case, platform: Platform, lines: list[str]
) -> None:
    case.take("doctor.huangpu", "submit", State.SUBMITTED, SAID, note="原因")
    told = "\n".join(lines)
    for part in (
        "doctor.huangpu",
        "受理",
        "takes it",
        "submitted 已提交",
        "MAIN receiving_coordinator",
        "11-25 09:00",
    ):
        assert part in told
    (request,) = platform.asked
    assert (request.method, request.url.path) == ("POST", "/api/v1/referrals/5e0c/steps/submit")
    assert json.loads(request.content) == {"note": "原因"}


def test_each_call_has_an_idempotency_key_of_its_own(case: Case, platform: Platform) -> None:
    for _ in range(2):
        case.office.send("doctor.main", "/x", {})
    keys = [request.headers["Idempotency-Key"] for request in platform.asked]
    assert len(set(keys)) == 2


def test_another_state_than_promised_is_said(case: Case) -> None:
    with pytest.raises(SimulatorError, match=r"submitted, and accepted was promised.*referral-5e0c"):
        case.take("coordinator.main", "accept", State.ACCEPTED, SAID)


def test_an_error_is_said_with_who_what_and_why(case: Case, platform: Platform) -> None:
    platform.status, platform.body = 503, {"detail": "Temporal did not answer"}
    with pytest.raises(
        SimulatorError, match=r"doctor.main POST .*steps/close: HTTP 503: Temporal did not answer"
    ):
        case.take("doctor.main", "close", State.CLOSED, SAID)


def test_what_must_be_refused_and_is_not_is_said(case: Case) -> None:
    with pytest.raises(SimulatorError, match="HTTP 200, where 409 was promised"):
        case.submitted("doctor.huangpu")


@pytest.mark.parametrize(
    ("status", "state", "recorded"),
    [
        ("failed", "closed", {"state": "closed"}),
        ("completed", "in_care", {"state": "closed"}),
        ("completed", "closed", {"state": "in_care"}),
        ("completed", "closed", None),
    ],
)
def test_a_workflow_that_ended_otherwise_is_said(
    case: Case, platform: Platform, status: str, state: str, recorded: object
) -> None:
    platform.body = {"workflow": {"status": status, "state": state}, "recorded": recorded}
    with pytest.raises(SimulatorError, match="completed, closed, closed was promised"):
        case.closed_in_temporal()


def test_what_does_not_come_by_itself_is_said() -> None:
    never: Callable[[], int | None] = lambda: None  # noqa: E731 - one expression
    with pytest.raises(SimulatorError, match="not within 0 s: the arrival"):
        awaited(never, lambda: "the arrival", limit=0)
