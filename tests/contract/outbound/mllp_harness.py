"""MLLP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

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


class MllpHarness:
    """HL7 v2 has no answer that means a wrong door: the connection is refused, or TLS is."""

    reads = True

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[MllpPeer]:
        """Run a receiver."""
        async with MllpReceiver() as receiver:
            spec = mllp(receiver.port, timeout_seconds=0.5, connections=3)
            transport = MllpTransport(spec)
            try:
                yield MllpPeer(spec, transport, receiver)
            finally:
                await transport.close()
