"""A planted bug: the relay marks as published what the broker has not confirmed."""

from __future__ import annotations

from collections.abc import Sequence

import uvloop

from bus import logging
from bus.broker import Ring
from bus.relay.__main__ import run
from bus.relay.publisher import PERSISTENT, RabbitPublisher
from bus.topology import INBOX_EXCHANGE
from runtime import settings


async def publish(publisher: RabbitPublisher, rings: Sequence[Ring]) -> frozenset[int]:
    """Write to the socket and believe."""
    publisher._check()
    for ring in rings:
        body = str(ring.id).encode()
        publisher._channel.basic_publish(INBOX_EXCHANGE, str(ring.key), body, PERSISTENT, mandatory=True)
    return frozenset(ring.id for ring in rings)


if __name__ == "__main__":
    logging.configure("relay")
    RabbitPublisher.publish = publish  # type: ignore[method-assign,assignment]
    uvloop.run(run(settings.load()))
