"""One v3 message on its way through a transaction: who sent it, what it is, how it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from api.caller import Caller
from api.platform import Platform
from bus.envelope import Refusal
from bus.fhir.systems import Systems
from bus.hl7v3.elements import Element, Problem
from bus.hl7v3.heading import Heading
from bus.hl7v3.making import Answering
from bus.inbox import refuse_in
from consortium.access import policy
from consortium.access.model import USUAL_PURPOSE, Action, User

PROTOCOL = "hl7v3"
KEPT = 64 * 1024
"""Bytes kept of a message that is refused."""


@dataclass(frozen=True)
class Asked:
    """A message and its sender."""

    parts: Platform
    user: User
    request_id: str
    peer: str
    address: str
    """`/pix/v3` or `/pdq/v3`."""
    message: Element
    heading: Heading
    body: bytes
    """The request as it came."""
    answering: Answering

    @property
    def systems(self) -> Systems:
        """The identifier domains."""
        return Systems(self.parts.settings)

    @property
    def type(self) -> str:
        """Type of the message in the inbox."""
        return f"{PROTOCOL}:{self.heading.interaction}"

    def caller(self, action: Action) -> Caller:
        """Return the sender as one who may do this. Raises ForbiddenError, audited."""
        purpose = USUAL_PURPOSE[self.user.role]
        resource = f"POST {self.address} {self.heading.interaction}"
        caller = Caller(self.user, action, purpose, self.request_id, resource, self.parts)
        decision = policy.conceivable(self.user, action, purpose)
        if not decision.allow:
            caller.refuse(decision)
        return caller

    def refused(self, problems: Sequence[Problem]) -> None:
        """Keep a message that was answered by an error, so that it can be found again."""
        reason = "; ".join(f"{one.location}: {one.text}" for one in problems)
        keep(self.parts, self.address, self.peer, f"v3_{problems[0].code.lower()}", reason, self.body, self)


def keep(
    parts: Platform, address: str, peer: str, code: str, reason: str, body: bytes, asked: Asked | None
) -> None:
    """Keep what was refused: `messages list --state refused`."""
    refusal = Refusal(
        protocol=PROTOCOL,
        endpoint=address,
        peer=peer,
        code=code,
        reason=reason,
        body=body[:KEPT],
        size=len(body),
        facility=asked.user.organisation if asked else None,
        control_id=asked.heading.id.text[:100] if asked else None,
        message_type=asked.type if asked else None,
    )
    with parts.engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101 - narrows: our engines are psycopg's
        refuse_in(driver, [refusal])
