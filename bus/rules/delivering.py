"""What a rule's test expects of its destinations: what is sent to each, and what becomes of it there.

How a message is built and sent is above this package: whoever runs the tests gives it as `Deliveries`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bus.rules.decision import Decision
from bus.rules.destinations import AnyDestination
from bus.rules.expected import part
from bus.rules.loader import Rule
from bus.rules.spec import Fate, Form, RuleTest
from bus.sources.source import Envelope, PathError, Source
from consortium.records.model import Change


@dataclass(frozen=True, slots=True)
class Case:
    """One message, or one change of it, for one destination."""

    body: bytes
    charset: str
    envelope: Envelope
    form: Form
    change: Change
    version: str | None = None
    part: int | None = None
    """Which of the message's changes, from 1; None: it has one."""


class NotBuiltError(Exception):
    """It cannot be built for this destination, so it would be parked. `code` names why, the text says it."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class NoSuchAnswerError(Exception):
    """A destination of this kind never answers so; the text says how it does."""


Sent = Source | dict[str, Any] | list[Any]
"""What goes out: JSON as it is, rows and arguments by name, other messages as paths see them."""


class Deliveries(Protocol):
    """Builds what goes out, and decides what becomes of it, as delivery does."""

    def sent(self, to: AnyDestination, case: Case) -> Sent:
        """Return what is sent. Raises NotBuiltError."""
        ...

    def becomes(self, to: AnyDestination, case: Case, answer: str | None) -> Fate | None:
        """Return what becomes of the first try when the destination answers so; None: without an answer that
        cannot be told. Raises NoSuchAnswerError.
        """
        ...


@dataclass(frozen=True, slots=True)
class Trial:
    """A test that went through the rules, and what is to be known to try its deliveries."""

    test: RuleTest
    rule: Rule | None
    """The one that decided."""
    decision: Decision
    body: bytes
    envelope: Envelope

    def cases(self, name: str) -> Iterator[tuple[AnyDestination, Case]]:
        """Give what goes to a destination; nothing where the message does not go there."""
        routes = self.rule.routes if self.rule is not None else ()
        known = {route.sending.to: route.to for route in routes}
        changes = self.decision.changes
        for sending in self.decision.sendings if changes else ():
            if sending.to != name:
                continue
            alone = sending.send is Form.RAW or not self.decision.split
            for number, change in enumerate(changes[:1] if alone else changes, start=1):
                yield (
                    known[name],
                    Case(
                        self.body,
                        self.test.given.charset,
                        self.envelope,
                        sending.send,
                        change,
                        self.decision.version,
                        None if alone else number,
                    ),
                )


def compare_deliveries(trial: Trial, deliveries: Deliveries) -> list[str]:
    """Return what differs from `expect.sent` and `expect.deliveries`, a line for each."""
    found: list[str] = []
    test = trial.test
    for name, expected in (test.expect.sent or {}).items():
        _compare_sent(name, expected, trial, deliveries, found)
    for name, fate in (test.expect.deliveries or {}).items():
        _compare_fate(name, fate, trial, deliveries, found)
    idle = sorted(test.answers.keys() - (test.expect.deliveries or {}).keys())
    return found + [f"answers.{name}: say under expect.deliveries what becomes of it" for name in idle]


def _compare_sent(name: str, expected: Any, trial: Trial, deliveries: Deliveries, found: list[str]) -> None:
    cases = list(trial.cases(name))
    if not cases:
        found.append(f"sent.{name}: the message does not go there")
        return
    several = cases[0][1].part is not None
    wanted = expected if several else [expected]
    if not isinstance(wanted, list) or len(wanted) != len(cases):
        found.append(f"sent.{name}: the message is split: write a list of {len(cases)}, one for each change")
        return
    for number, ((to, case), one) in enumerate(zip(cases, wanted, strict=True)):
        at = f"sent.{name}[{number}]" if several else f"sent.{name}"
        try:
            _compare_one(at, one, deliveries.sent(to, case), found)
        except NotBuiltError as error:
            found.append(f"{at}: it would be parked ({error.code}): {error}")


def _compare_one(at: str, expected: Any, sent: Sent, found: list[str]) -> None:
    if isinstance(sent, (dict, list)):
        part(at, expected, sent, found)
        return
    if not isinstance(expected, Mapping):
        found.append(f"{at}: write values by their paths, such as {{PID-3.1: M1}}")
        return
    for path, value in expected.items():
        try:
            actual = sent.get(str(path))
        except PathError as error:
            found.append(f"{at}: {error}")
            continue
        if actual != (None if value is None else str(value)):
            found.append(f"{at}.{path}: expected {value!r}, got {actual!r}")


def _compare_fate(name: str, expected: Fate, trial: Trial, deliveries: Deliveries, found: list[str]) -> None:
    answer = trial.test.answers.get(name)
    cases = list(trial.cases(name))
    if not cases:
        found.append(f"deliveries.{name}: the message does not go there")
    for to, case in cases:
        at = f"deliveries.{name}" + (f"[{case.part - 1}]" if case.part is not None else "")
        try:
            fate = deliveries.becomes(to, case, None if answer is None else str(answer))
        except NoSuchAnswerError as error:
            found.append(f"answers.{name}: {error}")
            return
        if fate is None:
            found.append(f"answers.{name}: say what it answers")
            return
        if fate != expected:
            found.append(f"{at}: expected {expected!r}, got {fate!r}")
