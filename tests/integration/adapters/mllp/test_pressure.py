"""A sender that is faster than the store waits; what is held for it is bounded. A dead peer is found out."""

from __future__ import annotations

import asyncio
import itertools
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.mllp.client import Client, read_answer
from adapters.mllp.entrance import KEEP_ALIVE
from adapters.mllp.framing import framed
from adapters.mllp.server import Listener
from adapters.mllp.wire import Wire
from adapters.tls import Tls, client_context
from bus.envelope import Arrival, Outcome, Receipt, Refusal
from bus.inbox.group import Told
from tests.certificates import Authority
from tests.integration.adapters.mllp.conftest import SETTINGS, until
from tests.integration.adapters.mllp.test_batch import batch
from tests.integration.adapters.mllp.test_listener import message

SIZE = 32 * 1024
OFFERED = 800
SENDERS = 4
PACKET = 256 * 1024
"""The most that one read takes from a socket, in either event loop."""


class Stuck:
    """A store that takes messages and commits nothing until it is let go."""

    def __init__(self) -> None:
        self.held: list[tuple[Arrival, asyncio.Future[Receipt]]] = []
        self.stuck = True
        self._ids = itertools.count(1)

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(len(arrival.body) for arrival, _ in self.held)

    def take(self, arrival: Arrival, told: Told) -> None:
        """As `submit`, for one that is told."""
        self.submit(arrival).add_done_callback(lambda done: told(done.result()))

    def submit(self, arrival: Arrival) -> asyncio.Future[Receipt]:
        """Hold a message; once let go, commit it at once."""
        done: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self.held.append((arrival, done))
        if not self.stuck:
            self.let_go()
        return done

    def let_go(self) -> None:
        """Commit what is held, and from now on whatever comes."""
        self.stuck = False
        held, self.held = self.held, []
        for _, done in held:
            done.set_result(Receipt(next(self._ids), Outcome.STORED))

    async def refuse(self, refusal: Refusal) -> int:
        """Nothing is refused here."""
        raise AssertionError(refusal.reason)


class Sender:
    """Writes all it has without waiting for answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.written = 0
        self.task = asyncio.create_task(self._write())

    async def _write(self) -> None:
        for n in range(OFFERED):
            self.writer.write(framed(message(f"C{n}", "x" * SIZE)))
            await self.writer.drain()
            self.written = n + 1

    @property
    def blocked(self) -> bool:
        """Whether the network takes no more from it."""
        return self.writer.transport.get_write_buffer_size() > SIZE

    async def answers(self) -> list[str | None]:
        """Read every answer."""
        found = [read_answer((await self.reader.readuntil(b"\x1c\r"))[1:-2]) for _ in range(OFFERED)]
        assert {answer.code for answer in found} == {"AA"}
        self.writer.close()
        return [answer.control_id for answer in found]


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
async def test_a_store_that_is_slow_slows_its_senders_and_memory_stays_bounded(
    secured: bool, tmp_path: Path
) -> None:
    settings, context = replace(SETTINGS, in_flight=16), None
    if secured:
        authority = Authority(tmp_path)
        ours = authority.issue("CN=bus")
        settings = replace(settings, tls=Tls(ours.certificate, ours.key))
        context = client_context(authority.certificate)
    store = Stuck()
    listener = Listener(settings, store)
    await listener.start()
    senders = [
        Sender(*await asyncio.open_connection("127.0.0.1", listener.port, ssl=context))
        for _ in range(SENDERS)
    ]
    await until(lambda: all(sender.blocked for sender in senders), 30)
    await until(lambda: all(not connection._reading for connection in listener._connections))
    bound = SENDERS * (settings.in_flight * (SIZE + 200) + 2 * PACKET)
    assert store.size <= bound < SENDERS * OFFERED * SIZE / 20
    assert listener._buffered <= SENDERS * 2 * PACKET
    assert all(sender.written < OFFERED / 2 for sender in senders)
    store.let_go()
    answered = await asyncio.gather(*(sender.answers() for sender in senders))
    assert answered == [[f"C{n}" for n in range(OFFERED)]] * SENDERS
    await listener.stop()


async def test_nothing_more_is_read_while_a_batch_is_being_stored() -> None:
    store = Stuck()
    listener = Listener(SETTINGS, store)
    await listener.start()
    async with Client("127.0.0.1", listener.port) as client:
        sending = asyncio.create_task(client.send_batch(batch(*(message(f"C{n}") for n in range(300)))))
        await until(lambda: len(store.held) == 300)
        assert [connection._reading for connection in listener._connections] == [False]
        store.let_go()
        assert len(await sending) == 300
        assert (await client.send(message("D1"))).code == "AA"
        assert [connection._reading for connection in listener._connections] == [True]
    await listener.stop()


async def test_a_connection_is_kept_alive_and_a_dead_peer_found_out() -> None:
    listener = Listener(SETTINGS, Stuck())
    await listener.start()
    _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    await until(lambda: listener.connections == 1)
    [connection] = listener._connections
    assert connection._transport is not None
    peer = connection._transport.get_extra_info("socket")
    assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    assert tuple(peer.getsockopt(socket.IPPROTO_TCP, name) for name in names) == KEEP_ALIVE
    writer.close()
    await listener.stop()


async def test_a_connection_to_a_receiver_is_kept_alive_too() -> None:
    listener = Listener(SETTINGS, Stuck())
    await listener.start()
    wire = await Wire.open("127.0.0.1", listener.port, 1024)
    peer = wire._writer.get_extra_info("socket")
    assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    await wire.close()
    await listener.stop()
