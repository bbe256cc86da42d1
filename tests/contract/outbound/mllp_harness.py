"""MLLP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from adapters.mllp.batch import split
from adapters.mllp.batched import BatchedTransport
from adapters.mllp.framing import framed
from adapters.mllp.links import control_id
from adapters.mllp.outbound import MllpTransport
from bus.delivery.transport import Transport
from bus.rules.destinations import MllpDestination
from tests.contract.outbound.harness import How
from tests.integration.bus.delivery.queue import mllp
from tests.integration.bus.delivery.receivers import Behaviour, MllpReceiver, Reply, ack, closes, silent


def _says(code: str) -> Behaviour:
    def says(control: str) -> Reply:
        return ack(code, control)

    return says


BEHAVIOURS: dict[How, Behaviour] = {
    How.TAKES: _says("AA"),
    How.REFUSES: _says("AR"),
    How.LATER: _says("AE"),
    How.SILENT: silent,
    How.CLOSES: closes,
}


@dataclass
class MllpPeer:
    """One MLLP receiver, and our way to it."""

    spec: MllpDestination
    transport: Transport
    receiver: MllpReceiver

    async def behave(self, how: How) -> None:
        """Behave so from now on."""
        self.receiver.behaviour = BEHAVIOURS[how]

    async def down(self) -> None:
        """Be switched off."""
        await self.receiver.down()

    async def got(self) -> list[str]:
        """Return what came."""
        return list(self.receiver.got)

    async def effects(self) -> list[str]:
        """Return what came first under its control id."""
        return list(dict.fromkeys(self.receiver.got))


class Batches(MllpReceiver):
    """Takes batches, and answers each by a batch of what it would say to its messages."""

    def _answer(self, frame: bytes, writer: asyncio.StreamWriter) -> None:
        replies: list[bytes] = []
        for message in [one for batch in split(frame).batches for one in batch.messages]:
            control = control_id(message).decode()
            self.got.append(control)
            self.bodies.append(message)
            replies += filter(None, [self.behaviour(control)])
        if replies:
            writer.write(framed(b"BHS|^~\\&|WARD\r" + b"".join(replies) + b"BTS\r"))


class MllpHarness:
    """HL7 v2 has no answer that means a wrong door: the connection is refused, or TLS is."""

    reads = True

    def __init__(self, *, batched: bool = False) -> None:
        self._batched = batched

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[MllpPeer]:
        """Run a receiver."""
        async with Batches() if self._batched else MllpReceiver() as receiver:
            batch = {"messages": 3, "wait_seconds": 0.02} if self._batched else None
            spec = mllp(receiver.port, timeout_seconds=2.0, connections=3, batch=batch)
            transport = BatchedTransport(spec) if self._batched else MllpTransport(spec)
            try:
                yield MllpPeer(spec, transport, receiver)
            finally:
                await transport.close()
