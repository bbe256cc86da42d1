"""An HTTP server that answers as it is told, for webhook, REST and SOAP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.contract.outbound.harness import How


@dataclass(frozen=True)
class Got:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Says = Callable[[How], tuple[int, str, bytes]]
"""Status, media type and body of an answer."""


@dataclass
class Server:
    """Listens on a free port of loopback until `stop`."""

    says: Says
    how: How = How.TAKES
    first: list[How] = field(default_factory=list)
    """How it behaves to the first ones that are sent, before `how`."""
    asked: How = How.TAKES
    """How it behaves when it is asked (GET)."""
    requests: list[Got] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def start(self) -> str:
        """Listen; returns the origin."""
        ours = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                ours._answer(self)

            def do_POST(self) -> None:
                ours._answer(self)

            def do_PUT(self) -> None:
                ours._answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                del format, args

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def stop(self) -> None:
        """Stop listening; those who wait for an answer get none."""
        if self._over.is_set():
            return
        self._over.set()
        self._http.shutdown()
        self._thread.join(10)
        self._http.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        body = handler.rfile.read(length := int(handler.headers.get("content-length", 0)))
        if len(body) < length:
            return  # who sent it was stopped in the middle
        headers = {name.lower(): value for name, value in handler.headers.items()}
        how = self.asked if handler.command == "GET" else self.first.pop(0) if self.first else self.how
        self.requests.append(Got(handler.command, handler.path, headers, body))
        if how is How.SILENT:
            self._over.wait(30)
        if how in (How.SILENT, How.CLOSES):
            return
        handler.close_connection = False
        status, media_type, said = self.says(how)
        handler.send_response(status)
        handler.send_header("content-type", media_type)
        handler.send_header("content-length", str(len(said)))
        handler.end_headers()
        handler.wfile.write(said)
