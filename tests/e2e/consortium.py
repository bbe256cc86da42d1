"""A whole consortium brought up by the launcher, as a newcomer would have it, and ways to ask it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

CHECKOUT = Path(__file__).resolve().parents[2]
T = TypeVar("T")


@dataclass(frozen=True)
class Consortium:
    """The running system, known only by its command line and its endpoints."""

    home: Path

    def environment(self) -> dict[str, str]:
        """Return the environment in which its commands run."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("YILIAN_")}
        return {**kept, "YILIAN_HOME": str(self.home), "LANG": "C.UTF-8"}

    def run(self, *arguments: str, timeout: float = 900) -> subprocess.CompletedProcess[str]:
        """Run `./yilian …` to its end."""
        return subprocess.run(
            [str(CHECKOUT / "yilian"), *arguments],
            env=self.environment(),
            cwd=CHECKOUT,
            text=True,
            capture_output=True,
            timeout=timeout,
            check=False,
        )

    def must(self, *arguments: str, timeout: float = 900) -> str:
        """Run a command that has to succeed; return what it printed."""
        done = self.run(*arguments, timeout=timeout)
        assert done.returncode == 0, (
            f"{arguments}: {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        )
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """Run a command with `--json` and return what it said."""
        return json.loads(self.must(*arguments, "--json"))

    def status(self) -> dict[str, Any]:
        """Return `status --json`, whatever the exit code."""
        return dict(json.loads(self.run("status", "--json").stdout))

    def endpoint(self, name: str) -> str:
        """Return an address of `status --json`."""
        return str(self.status()["endpoints"][name])

    def token(self, user: str) -> str:
        """Return a bearer token for a sample user."""
        return self.must("token", "--user", user).strip()

    def client(self, user: str) -> httpx.Client:
        """Return an HTTP client signed in as a sample user, rooted at the API's origin."""
        headers = {"Authorization": f"Bearer {self.token(user)}"}
        return httpx.Client(base_url=self.endpoint("api"), headers=headers, timeout=60, trust_env=False)

    def environment_settings(self) -> Mapping[str, Any]:
        """Return the settings that the system runs with."""
        import tomllib

        return tomllib.loads((self.home / "generated.toml").read_text())


def until(what: str, ask: Callable[[], T], limit: float = 120) -> T:
    """Ask until the answer is true; fail with `what` after `limit` seconds."""
    end = time.monotonic() + limit
    while not (answer := ask()):
        assert time.monotonic() < end, f"not within {limit} s: {what}"
        time.sleep(0.5)
    return answer
