"""LiveKit, which carries video: found or built once, configured for loopback, started, asked."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from runtime import ports, process
from runtime.failure import SetupError
from runtime.plan import UnhealthyError
from runtime.process import Command
from runtime.services import livekit_build
from runtime.settings import Settings, home
from runtime.waiting import until

WEBHOOK = "/api/v1/video/webhook"
"""Where LiveKit tells of joins and leaves, below the API's origin."""
GRACE = 5.0
"""Seconds until it is told again to stop: at the first word it waits for people to leave."""
_NO_STUN = "127.0.0.1:9"
"""Without any, LiveKit would have browsers ask public servers abroad; on loopback nobody needs one."""


def locate(program: Path | None = None) -> Path | None:
    """Return the server's program: the given one, that on PATH, or the one built here; None without any."""
    if program:
        return program if program.exists() else None
    built = livekit_build.target()
    return Path(found) if (found := shutil.which("livekit-server")) else (built if built.exists() else None)


@dataclass(frozen=True, slots=True)
class Server:
    """One LiveKit server of ours; everything it opens is on loopback."""

    folder: Path
    port: int
    media_port: int
    """TCP and UDP."""
    key_name: str
    key: str
    webhook: str
    """URL that is told of events."""

    @property
    def url(self) -> str:
        """Where browsers of this machine reach it."""
        return f"ws://{ports.LOOPBACK}:{self.port}"

    def create(self) -> Path:
        """Write the configuration, which holds the key, for the owner's eyes only; return where."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / "livekit.yaml"
        aside = path.with_suffix(".new")
        aside.unlink(missing_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            json.dump(self.configuration(), out)  # JSON is YAML, and quotes whatever there is
        aside.rename(path)
        return path

    def configuration(self) -> dict[str, object]:
        """Return what the server is told."""
        return {
            "port": self.port,
            "bind_addresses": [ports.LOOPBACK],
            "rtc": {
                "tcp_port": self.media_port,
                "udp_port": self.media_port,
                "node_ip": ports.LOOPBACK,
                "use_external_ip": False,
                "enable_loopback_candidate": True,
                "interfaces": {"includes": ["lo"]},
                "ips": {"includes": [f"{ports.LOOPBACK}/32"]},
                "stun_servers": [_NO_STUN],
            },
            # A room is made by this platform alone: a token that outlives its room opens nothing.
            "room": {"auto_create": False, "max_participants": 20},
            "keys": {self.key_name: self.key},
            "webhook": {"api_key": self.key_name, "urls": [self.webhook]},
            "logging": {"level": "info", "json": True},
        }

    def command(self, program: Path) -> Command:
        """Return how the server is started."""
        return Command(
            (str(program), "--config", str(self.create())), {"GOGC": "50"}, cwd=self.folder, grace=GRACE
        )


def server(settings: Settings) -> Server:
    """Return our own server under these (complete) settings."""
    host = ports.LOOPBACK if settings.api_host in {"0.0.0.0", "::", ""} else settings.api_host  # noqa: S104
    return Server(
        home() / "livekit",
        settings.livekit_port,
        settings.livekit_media_port,
        settings.livekit_key_name,
        settings.livekit_key,
        f"http://{host}:{settings.api_port}{WEBHOOK}",
    )


def api_url(url: str) -> str:
    """Return where programs ask the server that browsers reach at `url`."""
    parts = urlsplit(url)
    return parts._replace(scheme={"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)).geturl()


def check(url: str, key_name: str, key: str) -> str:
    """Ask which rooms there are, with our own key. `url`: of its API. Raises `UnhealthyError`."""
    import httpx  # here: every command reads the catalogue, and few ask LiveKit
    from livekit.api import AccessToken, VideoGrants

    token = AccessToken(key_name, key).with_grants(VideoGrants(room_list=True)).to_jwt()
    try:
        answer = httpx.post(
            f"{url.rstrip('/')}/twirp/livekit.RoomService/ListRooms",
            json={},
            headers={"Authorization": f"Bearer {token}"},
            timeout=5,
            trust_env=False,
        )
    except httpx.HTTPError as error:
        raise UnhealthyError(f"LiveKit at {url} does not answer: {type(error).__name__}") from error
    if answer.status_code in {401, 403}:
        raise UnhealthyError(f"LiveKit at {url} refuses livekit_key_name and livekit_key")
    if answer.is_error:
        raise UnhealthyError(f"LiveKit at {url} answers with status {answer.status_code}")
    return f"LiveKit, {len(answer.json().get('rooms', ()))} rooms"


@contextmanager
def ephemeral(directory: Path, program: Path, webhook: str) -> Iterator[Server]:
    """Run a server of its own for the time of the `with` block; tell `webhook` of events."""
    key = secrets.token_hex(32)
    one = Server(directory / "livekit", ports.any_free(), ports.any_free(), "yilian", key, webhook)

    def answers() -> bool:
        try:
            check(api_url(one.url), one.key_name, one.key)
        except UnhealthyError:
            return False
        return True

    log = directory / "livekit.log"
    with process.running(one.command(program), log) as started:
        until(lambda: started.poll() is not None or answers(), 60)
        if started.poll() is not None or not answers():
            raise SetupError("LiveKit did not start", "read the log", log)
        yield one
