"""One v3 message on its way through a transaction: who sent it, what it is, how it is refused."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from adapters.ihe.counts import Fate
from adapters.ihe.envelope import Message
from adapters.ihe.faults import Fault, FaultError
from adapters.ihe.server import Call
from api.caller import Caller
from api.ihe import SignedIn, Transaction
from api.platform import Platform
from bus.envelope import Refusal
from bus.fhir.systems import Systems
from bus.hl7v3.elements import Element, Problem, StructureError
from bus.hl7v3.heading import Heading, heading
from bus.hl7v3.making import Answering
from bus.hl7v3.names import CANCEL, CONTINUE, NAMESPACE
from bus.inbox import refuse_in
from consortium.access.model import Action, Purpose

PROTOCOL = "hl7v3"
KEPT = 64 * 1024
"""Bytes kept of a message that is refused."""
CONTINUED = f"{CONTINUE}_Continue"
"""How IHE names the action of going on with a query (ITI TF-2 3.47.5.1)."""
_ALSO = {CONTINUE: (CONTINUED, CANCEL), CANCEL: (CONTINUE,)}
"""Under which other actions a message comes."""


@dataclass(frozen=True)
class Asked:
    """A message and its sender, who may do what its transaction does."""

    caller: Caller
    peer: str
    address: str
    """`/pix/v3` or `/pdq/v3`."""
    message: Element
    heading: Heading
    body: bytes
    """The envelope as it came."""
    answering: Answering

    @property
    def parts(self) -> Platform:
        """The parts of the application."""
        return self.caller.parts

    @property
    def systems(self) -> Systems:
        """The identifier domains."""
        return Systems(self.parts.settings)

    @property
    def type(self) -> str:
        """Type of the message in the inbox."""
        return f"{PROTOCOL}:{self.heading.interaction}"

    def refused(self, problems: Sequence[Problem]) -> None:
        """Keep a message that was answered by an error, so that it can be found again."""
        refusal = Refusal(
            protocol=PROTOCOL,
            endpoint=self.address,
            peer=self.peer,
            code=f"v3_{problems[0].code.lower()}",
            reason="; ".join(f"{one.location}: {one.text}" for one in problems),
            body=self.body[:KEPT],
            size=len(self.body),
            facility=self.caller.user.organisation,
            control_id=self.heading.id.text[:100],
            message_type=self.type,
        )
        _keep(self.parts, refusal)


def action(interaction: str) -> str:
    """Return the WS-Addressing action of an interaction."""
    return f"{NAMESPACE}:{interaction}"


def transaction(
    name: str,
    address: str,
    interaction: str,
    access: Action,
    answer: Callable[[Asked], Element],
    *,
    fate: Callable[[Element], Fate] | None = None,
) -> Transaction:
    """Return the transaction that takes an interaction at an address. `fate`: see `Transaction`."""

    def does(caller: Caller, call: Call[SignedIn]) -> Element:
        try:
            return answer(_asked(caller, call, address))
        except StructureError as error:
            chinese = "消息结构不符合 HL7 v3"
            raise FaultError(Fault("structure", chinese, error.text, path=error.path)) from error

    resource = f"POST {address} {interaction.removesuffix('_Continue')}"
    return Transaction(
        name,
        action(interaction),
        None,
        access,
        Purpose.OPERATIONS,
        does=does,
        fate=fate,
        resource=resource,
    )


def keep_faulty(who: SignedIn, body: bytes, fault: Fault) -> None:
    """Keep what was answered by a fault: `messages list --state refused`."""
    refusal = Refusal(
        protocol=PROTOCOL,
        endpoint=who.address,
        peer=who.peer,
        code=fault.code,
        reason=fault.reason,
        body=body[:KEPT],
        size=len(body),
        facility=who.user.organisation,
    )
    _keep(who.parts, refusal)


def _asked(caller: Caller, call: Call[SignedIn], address: str) -> Asked:
    message, parts = call.message, caller.parts
    head = heading(message.payload)
    _refuse_others_action(message, head.interaction)
    answering = Answering(head, parts.settings.consortium_oid, str(uuid.uuid4()), parts.now())
    return Asked(caller, call.caller.peer, address, message.payload, head, message.envelope, answering)


def _refuse_others_action(message: Message, interaction: str) -> None:
    if message.action not in map(action, (interaction, *_ALSO.get(interaction, ()))):
        english = f"wsa:Action must be {action(interaction)}, as the message in the Body is"
        raise FaultError(Fault("action", "wsa:Action 与消息不符", english, path="Header/Action"))


def _keep(parts: Platform, refusal: Refusal) -> None:
    with parts.engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101 - narrows: our engines are psycopg's
        refuse_in(driver, [refusal])
