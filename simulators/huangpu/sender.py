"""Sends Huangpu's day: one upload after the other, in the order of their times."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import httpx
import requests

from simulators.delivery import Answer, Delivery, SimulatorError
from simulators.huangpu.account import Account
from simulators.huangpu.upload import Face, Upload

ATTEMPTS = 8
FIRST_WAIT = 0.25
"""How often an upload is sent when no answer comes, and the seconds between, doubled each time."""

OUT_OF_REACH = (httpx.TransportError, requests.ConnectionError, requests.Timeout)
TRANSIENT = frozenset({"unavailable", "timeout", "disconnected"})
"""Refusals that say: send it again."""


class Client(Protocol):
    """One face of the platform."""

    def send(self, upload: Upload) -> Answer:
        """Send one upload."""
        ...


def send_day(
    uploads: Sequence[Upload], clients: dict[Face, Client], account: Account, told: Callable[[Delivery], None]
) -> list[Delivery]:
    """Send all uploads; `told` hears of each answer. Raises SimulatorError when one gets none."""
    deliveries = []
    for upload in uploads:
        answer = _send(upload, clients[upload.face], account)
        delivery = Delivery(upload.sender, upload.control_id, upload.expect, answer)
        deliveries.append(delivery)
        told(delivery)
    return deliveries


def _send(upload: Upload, client: Client, account: Account) -> Answer:
    wait = FIRST_WAIT
    for _ in range(ATTEMPTS):
        answer = _attempt(upload, client)
        if answer is not None and answer.code == "unauthenticated":
            account.forget()
        elif answer is not None and answer.code not in TRANSIENT:
            return answer
        time.sleep(wait)
        wait = min(wait * 2, 8)
    raise SimulatorError(
        f"Huangpu got no answer to {upload.control_id} at {account.api} in {ATTEMPTS} attempts;"
        " see ./yilian status and ./yilian logs api"
    )


def _attempt(upload: Upload, client: Client) -> Answer | None:
    try:
        return client.send(upload)
    except OUT_OF_REACH:
        return None
