"""Other systems: an MLLP and an HTTP receiver that answer as a test tells them."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from adapters.mllp.framing import Broken, Deframer, framed
from adapters.mllp.links import control_id


def ack(code: str, control: str) -> bytes:
    """Return an acknowledgement without frame."""
    return f"MSH|^~\\&|WARD|HP|YILIAN|GROUP|20261120||ACK|A{control}|P|2.4\rMSA|{code}|{control}\r".encode()


Reply = bytes | None
"""An answer without frame; None: silence."""
Behaviour = Callable[[str], Reply]
"""From a control id to the answer; raising ConnectionError closes the connection."""


def takes(control: str) -> Reply:
    """Take everything."""
    return ack("AA", control)


def silent(_control: str) -> Reply:
    """Never answer."""
    return None


def closes(_control: str) -> Reply:
    """Close the connection instead of answering."""
    raise ConnectionResetError


@dataclass
class MllpReceiver:
    """Listens on a free port of loopback, with the framing of our own listener."""

    behaviour: Behaviour = takes
    port: int = 0
    got: list[str] = field(default_factory=list)
    """Control ids in the order in which their messages came."""
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()

    async def up(self) -> None:
        """Listen; again on the same port after `down`."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Close everything, as a machine that is switched off."""
        if self._server is not None:
            self._server.close()
            for writer in self.writers:
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        deframer = Deframer(1 << 20, 1 << 20)
        try:
            while data := await reader.read(65536):
                for frame in deframer.feed(data):
                    assert not isinstance(frame, Broken)
                    self._answer(frame, writer)
        except ConnectionError:
            pass  # closing is what it was told to do
        finally:
            writer.close()

    def _answer(self, frame: bytes, writer: asyncio.StreamWriter) -> None:
        control = control_id(frame).decode()
        self.got.append(control)
        self.bodies.append(frame)
        answer = self.behaviour(control)
        if answer is not None:
            writer.write(framed(answer))


@dataclass
class HttpReceiver:
    """A webhook's other end."""

    status: Callable[[int], int] = lambda _number: 200
    """From how many came before to the status; 0: close without an answer."""
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@contextmanager
def http_receiver(status: Callable[[int], int] = lambda _number: 200) -> Iterator[HttpReceiver]:
    """Serve on a free port of loopback."""
    receiver = HttpReceiver(status)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            code = receiver.status(len(receiver.got))
            receiver.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
            if code == 0:
                self.close_connection = True
                return
            self.send_response(code)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
