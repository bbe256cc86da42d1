"""A page in headless Chromium, driven by the DevTools protocol: for pages that only a browser runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from runtime.waiting import until

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


class Page:
    """One page of a browser whose profile is its own."""

    def __init__(self, socket: ClientConnection) -> None:
        """Drive the page behind that socket."""
        self._socket = socket
        self._ids = count(1)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and return its result; events between are left alone."""
        id_ = next(self._ids)
        self._socket.send(json.dumps({"id": id_, "method": method, "params": parameters}))
        while True:
            told: dict[str, Any] = json.loads(self._socket.recv(timeout=60))
            if told.get("id") == id_:
                assert "error" not in told, told
                result: dict[str, Any] = told["result"]
                return result

    def run(self, script: str) -> Any:
        """Return what a JavaScript expression comes to."""
        told = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def open(self, address: str) -> None:
        """Go to an address and wait until the page is loaded."""
        self.run("window.left = true")
        self.ask("Page.navigate", url=address)
        assert self.holds("!window.left && document.readyState === 'complete'"), address

    def holds(self, script: str, seconds: float = 60) -> bool:
        """Wait until a JavaScript expression is true."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.run(f"Boolean({script})") is True:
                return True
            time.sleep(0.1)
        return False

    @property
    def text(self) -> str:
        """What a person reads on it."""
        return str(self.run("document.body.innerText"))


@contextmanager
def page(folder: Path) -> Iterator[Page]:
    """Run a browser with a new profile in that folder until the block ends; skips where there is none."""
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-proxy-server", "--no-first-run")
    profile = f"--user-data-dir={folder}"
    with (folder.parent / f"{folder.name}.log").open("wb") as log:
        started = subprocess.Popen(
            [program, *options, profile, "--remote-debugging-port=0", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        port = folder / "DevToolsActivePort"
        assert until(lambda: port.exists() and "\n" in port.read_text(), 60), "the browser did not start"
        pages = f"http://127.0.0.1:{port.read_text().splitlines()[0]}/json/list"
        [address] = [
            one["webSocketDebuggerUrl"]
            for one in httpx.get(pages, trust_env=False).json()
            if one["type"] == "page"
        ]
        with connect(address, max_size=None, proxy=None) as socket:
            yield Page(socket)
    finally:
        started.terminate()
        started.wait(timeout=30)
