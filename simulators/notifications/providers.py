"""The HTTP doubles: an SMS gateway in the default shape of the settings, and WeChat's template messages.

Beside the provider's own paths each has `GET /kept` (what was sent on) and `POST /manner` (`{"manner": …,
"honours_keys": …}`).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from simulators.notifications.kept import Kept, Manner

LATE = 30.0
"""Seconds after which a late answer comes by itself."""


class _Provider(BaseHTTPRequestHandler):
    """What both have in common."""

    kept: Kept

    def do_GET(self) -> None:
        """Show what was sent on, or what the provider shows."""
        if self.path == "/kept":
            self.answer(200, {"sent": list(self.kept.sent), "repeated": self.kept.repeated})
        else:
            self.shown()

    def do_POST(self) -> None:
        """Change the manner, or take a text."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/manner":
            told = json.loads(body)
            self.kept.manner = Manner(told.get("manner", self.kept.manner))
            self.kept.honours_keys = bool(told.get("honours_keys", self.kept.honours_keys))
            self.answer(200, {})
        else:
            self.given(body)

    def shown(self) -> None:
        """Answer another GET."""
        self.answer(404, {})

    def given(self, body: bytes) -> None:
        """Take a POST."""
        raise NotImplementedError

    def answer(self, status: int, content: dict[str, Any]) -> None:
        """Answer by JSON."""
        made = json.dumps(content, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(made)))
        self.end_headers()
        self.wfile.write(made)

    def hang_up(self) -> None:
        """Say nothing, and close the connection."""
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Keep the terminal clean; what came is in `kept`."""


class SmsGateway(_Provider):
    """Takes `{"to": [number …], "text": …}` with Idempotency-Key; `GET /status/<key>` is 200 or 404."""

    def shown(self) -> None:
        """Say whether a text was taken."""
        key = self.path.removeprefix("/status/")
        self.answer(200 if self.kept.has(key) else 404, {})

    def given(self, body: bytes) -> None:
        """Take a text."""
        manner, told = self.kept.request(), json.loads(body)
        match manner:
            case Manner.REFUSES:
                self.answer(422, {"error": "not a number that we serve"})
                return
            case Manner.LATER:
                self.answer(503, {"error": "busy"})
                return
            case Manner.DEAF:
                self.hang_up()
                return
        numbers = [
            self.kept.take(to, self.headers.get("Idempotency-Key", ""), {"text": told["text"]})
            for to in told["to"]
        ]
        if manner is Manner.SILENT:
            self.hang_up()
            return
        if manner is Manner.LATE:
            self.kept.let_go.wait(LATE)
        self.answer(200, {"id": numbers[0], "to": told["to"]})


class WeChat(_Provider):
    """`cgi-bin/stable_token` and `cgi-bin/message/template/send`, with `client_msg_id` as key."""

    tokens: list[str]
    """Those that are good."""

    def given(self, body: bytes) -> None:
        """Give a token, or take a message."""
        path, told = urlsplit(self.path), json.loads(body)
        if path.path == "/cgi-bin/stable_token":
            self.tokens[:] = [secrets.token_hex(8)]
            self.answer(200, {"access_token": self.tokens[0], "expires_in": 7200})
            return
        manner = self.kept.request()
        if manner is Manner.DEAF:
            self.hang_up()
        elif parse_qs(path.query).get("access_token", [""])[0] not in self.tokens:
            self.answer(200, {"errcode": 40001, "errmsg": "invalid credential"})
        elif manner is Manner.LATER:
            self.answer(200, {"errcode": -1, "errmsg": "system error"})
        elif manner is Manner.REFUSES:
            self.answer(200, {"errcode": 43004, "errmsg": "require subscribe"})
        else:
            self._taken(told, manner)

    def _taken(self, told: dict[str, Any], manner: Manner) -> None:
        what = {"template": told["template_id"], "url": told.get("url", ""), "data": told["data"]}
        number = self.kept.take(told["touser"], told["client_msg_id"], what)
        if manner is Manner.SILENT:
            self.hang_up()
            return
        if manner is Manner.LATE:
            self.kept.let_go.wait(LATE)
        self.answer(200, {"errcode": 0, "errmsg": "ok", "msgid": number})


@contextmanager
def serving(kind: type[_Provider], kept: Kept, port: int = 0) -> Iterator[str]:
    """Run a provider on loopback; gives its address."""
    handler = type("Serving", (kind,), {"kept": kept, "tokens": []})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        kept.let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()
