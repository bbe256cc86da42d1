"""An entrance that is closed leaves no socket behind, whenever that is."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from contextlib import ExitStack
from pathlib import Path

import pytest

from adapters.mllp.entrance import TlsEntrance
from tests.certificates import Authority
from tests.sockets import left_open


async def _never(peer: str, code: str, reason: str) -> None:
    raise AssertionError(f"{peer}: {code} {reason}")


def ended(client: socket.socket) -> bool:
    """Say whether the other side closed it; reset, it was never accepted."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("turns", range(8))
async def test_a_connection_that_comes_as_it_is_closed_is_closed_too(tmp_path: Path, turns: int) -> None:
    ours = Authority(tmp_path).issue("CN=bus")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ours.certificate, ours.key)
    entrance = await TlsEntrance.open("127.0.0.1", 0, asyncio.Protocol, context, seconds=5, most=8)
    entrance.begin(_never)
    before = {id(thing) for thing, _ in left_open()}
    await asyncio.sleep(0)
    with ExitStack() as stack:
        address = ("127.0.0.1", entrance.port)
        clients = [stack.enter_context(socket.create_connection(address, timeout=5)) for _ in range(2)]
        for _ in range(turns):
            await asyncio.sleep(0)
        await entrance.close()
        for client in clients:
            assert await asyncio.to_thread(ended, client)
    gc.collect()
    assert [thing for thing, _ in left_open() if id(thing) not in before] == []
