"""What a line does with one notification, by what its port says; rows and preparing are stand-ins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from bus.delivery.decide import Outcome, State
from bus.delivery.transport import Answer, NotSentError, UnansweredError, UnsendableError, Verdict
from bus.notifying.line import Line
from bus.notifying.port import Answered, Outgoing
from bus.notifying.preparing import NotNow
from bus.notifying.rows import Due
from consortium.notifications.model import Channel, Party

KEY = UUID("0c5e0000-0000-4000-8000-000000000001")
NOW = datetime(2026, 11, 25, 4, tzinfo=UTC)
NUMBER = "13800138000"
DUE = Due(
    id=1,
    key=KEY,
    party=Party.staff("chen"),
    attempts=0,
    refusals=0,
    unsure=False,
    tried_at=None,
    expires_at=None,
    notification_id=1,
    template="t",
    variables={},
    facility="HP",
    duty="staff",
    recipient="chen",
)
TAKEN = Answered(Answer(Verdict.TAKEN, "200", f'{{"to": "{NUMBER}"}}'.encode()), "r1")


class Engine:
    """Gives connections that nobody looks at."""

    @contextmanager
    def begin(self) -> Iterator[None]:
        yield None


@dataclass
class Rows:
    """Keeps what is written."""

    waiting: list[Due] = field(default_factory=lambda: [DUE])
    marked: list[Due] = field(default_factory=list)
    settled: list[tuple[Outcome, bool, str | None]] = field(default_factory=list)
    withheld: list[tuple[State, str]] = field(default_factory=list)
    ours: bool = True

    def due(self, limit: int) -> list[Due]:
        found, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return found

    def mark(self, due: Due) -> datetime | None:
        self.marked.append(due)
        return (due.tried_at or NOW) if self.ours else None

    def settle(self, _: Due, outcome: Outcome, *, unsure: bool, reference: str | None) -> bool:
        self.settled.append((outcome, unsure, reference))
        return True

    def not_now(self, _: Due, state: State, code: str, *_more: object) -> None:
        self.withheld.append((state, code))


@dataclass
class Preparing:
    """Says the same of each."""

    rows: Rows
    made: Outgoing | NotNow = field(default_factory=lambda: Outgoing(str(KEY), NUMBER, {"text": "x"}))
    channel: Channel = Channel.SMS

    def prepare(self, *_: object) -> Outgoing | NotNow:
        return self.made


@dataclass
class Port:
    """Says what it is told to."""

    says: Answered | Exception
    keys_seconds: float = 0.0
    sent: list[Outgoing] = field(default_factory=list)

    def send(self, message: Outgoing) -> Answered:
        self.sent.append(message)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    def close(self) -> None:
        pass


def line(rows: Rows, port: Port, preparing: Preparing | None = None, now: datetime = NOW) -> Line:
    parts: Any = (preparing or Preparing(rows), port, Engine())
    return Line(*parts, chance=lambda: 0.0, now=lambda: now)


def outcome(says: Answered | Exception, keys: float = 0.0, due: Due = DUE) -> tuple[State, str, bool]:
    """Return what becomes of one: state, code, and whether it may have arrived."""
    rows = Rows([due])
    assert line(rows, Port(says, keys)).once() == 1
    [(found, unsure, _)] = rows.settled
    return found.state, found.code, unsure


def answered(verdict: Verdict, code: str) -> Answered:
    return Answered(Answer(verdict, code, b""))


@pytest.mark.parametrize(
    ("says", "keys", "expected"),
    [
        (TAKEN, 0.0, (State.DELIVERED, "200", False)),
        (answered(Verdict.NEVER, "422"), 0.0, (State.PARKED, "422", False)),
        (answered(Verdict.LATER, "503"), 0.0, (State.QUEUED, "503", False)),
        (answered(Verdict.WRONG_DOOR, "401"), 0.0, (State.QUEUED, "401", False)),
        (answered(Verdict.UNSURE, "502"), 0.0, (State.AMBIGUOUS, "502", True)),
        (answered(Verdict.UNSURE, "502"), 60.0, (State.QUEUED, "502", True)),
        (NotSentError("away"), 0.0, (State.QUEUED, "unreachable", False)),
        (UnsendableError("bad_address", "no"), 0.0, (State.PARKED, "bad_address", False)),
        (UnansweredError("silent"), 0.0, (State.AMBIGUOUS, "unanswered", True)),
        (UnansweredError("silent"), 60.0, (State.QUEUED, "unanswered", True)),
        (ZeroDivisionError(), 0.0, (State.AMBIGUOUS, "unanswered", True)),
    ],
)
def test_what_the_port_says_decides(
    says: Answered | Exception, keys: float, expected: tuple[State, str, bool]
) -> None:
    assert outcome(says, keys) == expected


def test_a_key_is_trusted_as_long_as_the_other_side_knows_it() -> None:
    tried = replace(DUE, tried_at=NOW - timedelta(seconds=61), attempts=1)
    assert outcome(UnansweredError("silent"), 60.0, tried)[0] is State.AMBIGUOUS
    assert outcome(UnansweredError("silent"), 62.0, tried)[0] is State.QUEUED


def test_what_may_have_arrived_stays_so_until_it_is_taken() -> None:
    unsure = replace(DUE, unsure=True)
    assert outcome(answered(Verdict.LATER, "503"), 60.0, unsure)[2]
    assert outcome(NotSentError("away"), 60.0, unsure)[2]
    assert not outcome(TAKEN, 60.0, unsure)[2]


def test_the_answer_is_kept_without_the_number() -> None:
    rows = Rows()
    line(rows, Port(TAKEN)).once()
    [(found, _, reference)] = rows.settled
    assert (found.answer, reference) == (b'{"to": "***"}', "r1")


def test_what_is_not_to_go_now_is_neither_marked_nor_sent() -> None:
    rows, port = Rows(), Port(TAKEN)
    held = Preparing(rows, NotNow(State.PARKED, "no_address"))
    assert line(rows, port, held).once() == 1
    assert (rows.withheld, rows.marked, port.sent) == ([(State.PARKED, "no_address")], [], [])


def test_what_another_process_has_taken_is_not_sent() -> None:
    rows, port = Rows(ours=False), Port(TAKEN)
    line(rows, port).once()
    assert (port.sent, rows.settled) == ([], [])


def test_a_port_that_is_away_is_left_alone_after_some_tries() -> None:
    rows, port = Rows([replace(DUE, id=n) for n in range(20)]), Port(NotSentError("away"))
    one = line(rows, port)
    assert [one.once() for _ in range(4)] == [4, 4, 0, 0]
    assert len(port.sent) == 8
    assert one.position.value == "open"
