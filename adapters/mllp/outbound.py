"""Delivering over MLLP: each message gets its own answer by MSA-2, and a socket that kept one waiting is
dropped.
"""

from __future__ import annotations

from adapters.mllp.links import Links, control_id
from bus.delivery.transport import Answer, OnWire, Outgoing
from bus.rules.destinations import MllpDestination


class MllpTransport:
    """`bus.delivery.transport.Transport` over MLLP."""

    def __init__(self, spec: MllpDestination) -> None:
        """Raises PermanentError when the TLS files cannot be read."""
        self._links = Links(spec)

    async def check(self) -> None:
        """Nothing can be told of a receiver without a message."""

    async def send(self, message: Outgoing, on_wire: OnWire) -> Answer:
        """Send one message; see `Transport`."""
        wanted = control_id(message.body)
        connection = await self._links.take()
        try:
            await on_wire(message.as_it_is)
            answer = await self._links.exchange(connection, message.body, wanted)
        except BaseException:
            connection.drop()
            raise
        self._links.give_back(connection)
        return answer

    async def close(self) -> None:
        """Let all idle connections go."""
        self._links.close()
