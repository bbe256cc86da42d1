"""What the watcher of a demonstration reads: who does what, in Chinese and English, and how it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from consortium.referral.model import Party, State, Step, Words
from consortium.referral.words import PARTIES, STATES, STEPS
from simulators.clock import LOCAL


@dataclass(slots=True)
class Narration:
    """Numbers the steps and writes line by line."""

    write: Callable[[str], None]
    steps: int = 0

    def act(self, said: Words) -> None:
        """Begin a part of the story."""
        self.write(f"\n=== {said.zh}\n    {said.en}")

    def step(self, who: str, said: Words) -> None:
        """Say what somebody does, both languages below each other."""
        self.steps += 1
        self.write(f"\n{self.steps:2}. {who}")
        self.note(said)

    def note(self, said: Words) -> None:
        """Add to the step."""
        self.write(f"    {said.zh}\n    {said.en}")

    def stands(self, told: Mapping[str, Any]) -> None:
        """Say how a referral stands, as the API answered: state, who owes the next step, until when."""
        state = State(told["state"])
        line = f"    → {state} {STATES[state].zh}"
        if told["owner"]:
            owner = Party(told["owner"])
            line += f" · {told['owner_facility']} {owner} {PARTIES[owner].zh}"
        if told["deadline_at"]:
            line += f" · {_local(told['deadline_at'])}"
        self.write(line)

    def timeline(self, title: Words, events: Sequence[Mapping[str, Any]]) -> None:
        """Write the way that a referral went, as the API keeps it."""
        self.write(f"\n{title.zh}  {title.en}")
        for event in events:
            step, party = Step(event["step"]), Party(event["party"])
            who = event["username"] or f"{PARTIES[party].zh} {party}"
            self.write(
                f"  {event['number']:2}  {_local(event['at'])}  {step:<16} {STEPS[step].zh}"
                f"  {event['from_state']} → {event['to_state']}  {who}"
            )


def _local(at: str) -> str:
    return f"{datetime.fromisoformat(at).astimezone(LOCAL):%m-%d %H:%M:%S}"
