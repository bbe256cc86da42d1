"""Sends the main campus's day: one MLLP connection for each application, each patient's messages in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from adapters.mllp.client import Answer as MllpAnswer
from consortium.errors import RetryableError
from simulators.delivery import Answer, Delivery, SimulatorError
from simulators.main_campus.message import Message

ATTEMPTS = 8
FIRST_WAIT = 0.25
"""How often a message is sent when no answer comes, and the seconds between, doubled each time."""


class Connection(Protocol):
    """One application's way to the receiver."""

    async def send(self, message: bytes) -> MllpAnswer:
        """Send a message and return its acknowledgement. Raises RetryableError when none comes."""
        ...


Told = Callable[[Delivery], None]


async def send_day(
    messages: Sequence[Message], connections: dict[str, Connection], told: Told
) -> list[Delivery]:
    """Send all messages, applications side by side; `told` hears of each answer.

    A message waits until those before it of the same patients are answered. All queues follow one clock, so
    the earliest message not sent yet never waits. Raises SimulatorError when a message gets no answer.
    """
    answered = [asyncio.Event() for _ in messages]
    before = _predecessors(messages)
    deliveries: dict[int, Delivery] = {}

    async def speak(application: str, connection: Connection) -> None:
        for place, message in enumerate(messages):
            if message.application != application:
                continue
            for earlier in before[place]:
                await answered[earlier].wait()
            answer = await _send(connection, message)
            delivery = Delivery(message.application, message.control_id, message.expect, answer)
            deliveries[place] = delivery
            told(delivery)
            answered[place].set()

    try:
        async with asyncio.TaskGroup() as group:
            for application, connection in connections.items():
                group.create_task(speak(application, connection))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [deliveries[place] for place in range(len(messages))]


def _predecessors(messages: Sequence[Message]) -> list[set[int]]:
    last: dict[str, int] = {}
    before: list[set[int]] = []
    for place, message in enumerate(messages):
        before.append({last[number] for number in message.patients if number in last})
        last.update(dict.fromkeys(message.patients, place))
    return before


async def _send(connection: Connection, message: Message) -> Answer:
    wait = FIRST_WAIT
    for _ in range(ATTEMPTS):
        answer = await _attempt(connection, message)
        if answer is not None:
            return answer
        await asyncio.sleep(wait)
        wait = min(wait * 2, 8)
    raise SimulatorError(
        f"{message.application} got no answer to {message.control_id} in {ATTEMPTS} attempts;"
        " see ./yilian status and ./yilian logs mllp"
    )


async def _attempt(connection: Connection, message: Message) -> Answer | None:
    try:
        said = await connection.send(message.body)
    except RetryableError:
        return None
    code = "AA" if said.accepted else said.error_code or said.code
    return None if said.code == "AE" else Answer(said.accepted, code, said.reason or "")
