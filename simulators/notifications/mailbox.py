"""The mail server's double: a small SMTP server (RFC 5321) on loopback, without TLS, that keeps letters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

from simulators.notifications.kept import Kept, Manner
from simulators.notifications.providers import LATE


class _Session(StreamRequestHandler):
    """One session."""

    kept: Kept

    def handle(self) -> None:
        """Answer commands until the peer goes."""
        self._say("220 mail.test")
        to = ""
        while line := self.rfile.readline():
            command = line.decode("ascii", "replace").strip()
            verb = command[:4].upper()
            if verb == "RCPT":
                to = command.partition("<")[2].partition(">")[0]
                self._say("550 no such mailbox" if self.kept.manner is Manner.REFUSES else "250 OK")
            elif verb == "DATA":
                self._say("354 go on")
                if not self._letter(to):
                    return
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 OK")

    def _letter(self, to: str) -> bool:
        """Take a letter; False where the connection closes without an answer."""
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        manner = self.kept.request()
        if manner is Manner.DEAF:
            return False
        if manner is Manner.LATER:
            self._say("451 busy")
            return True
        letter = message_from_bytes(b"".join(lines), policy=policy.default)
        body = letter.get_body()
        text = body.get_content() if body is not None else ""
        self.kept.take(to, str(letter["Message-ID"]), {"subject": str(letter["Subject"]), "text": text})
        if manner is Manner.SILENT:
            return False
        if manner is Manner.LATE:
            self.kept.let_go.wait(LATE)
        self._say("250 taken")
        return True

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextmanager
def mailbox(kept: Kept, port: int = 0) -> Iterator[str]:
    """Run it on loopback; gives its address, smtp://…"""
    handler = type("Session", (_Session,), {"kept": kept})
    server = _Server(("127.0.0.1", port), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"smtp://127.0.0.1:{server.server_address[1]}"
    finally:
        kept.let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()
