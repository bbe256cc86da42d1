"""Telling people of alerts by SMS (短信): through the gateway of notifications, or into a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from bus.alerts.channel import Notice
from bus.delivery.transport import Verdict
from bus.notifying.sms import SmsPort
from consortium.errors import PermanentError, YilianError
from runtime.notifications import SmsShape

LONGEST = 134
"""Characters of a text: two parts of 67, as UCS-2 has them (3GPP TS 23.038 and 23.040)."""


class Gateway(Protocol):
    """Who sends texts to telephones."""

    def send(self, numbers: Sequence[str], text: str, key: str) -> None:
        """Send one text to all numbers. `key` is the same when the same is sent again. Raises OSError when it
        was not taken.
        """
        ...


@dataclass(frozen=True)
class HttpGateway:
    """Hands texts over as notifications are, in the shape that the settings describe; by default it POSTs
    `{"to": [number …], "text": …}` with Idempotency-Key and bearer token, and a 2xx has taken it.
    """

    port: SmsPort

    def send(self, numbers: Sequence[str], text: str, key: str) -> None:
        """Hand it over; see `Gateway`."""
        try:
            answer = self.port.send_to(numbers, text, key).answer
        except YilianError as error:
            raise ConnectionError(str(error)) from error
        if answer.verdict is not Verdict.TAKEN:
            raise ConnectionError(f"the gateway answered {answer.code}")


@dataclass(frozen=True)
class FileGateway:
    """Appends a line of JSON to a file instead of sending: for the sample, and to try settings out."""

    path: Path

    def send(self, numbers: Sequence[str], text: str, key: str) -> None:
        """Write it; see `Gateway`."""
        line = json.dumps({"to": list(numbers), "text": text, "key": key}, ensure_ascii=False)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def gateway(url: str, token: str, shape: SmsShape | None = None, secret: str = "") -> Gateway:
    """Return the gateway at an address: http://, https://, or file:///path. Raises PermanentError."""
    parts = urlsplit(url)
    if parts.scheme in ("http", "https") and parts.hostname:
        return HttpGateway(SmsPort(url, token, shape, secret))
    if parts.scheme == "file" and parts.path and not parts.netloc:
        return FileGateway(Path(unquote(parts.path)))
    raise PermanentError("the setting sms_gateway must be an http://, https:// or file:///path address")


@dataclass(frozen=True)
class Sms:
    """`bus.alerts.channel.Channel` through a gateway."""

    gateway: Gateway
    numbers: Sequence[str]
    pause: float = 300.0
    most: int = 50

    def tell(self, notices: Sequence[Notice]) -> None:
        """Send one text about these. Raises OSError."""
        self.gateway.send(self.numbers, brief(notices), f"alert-notice-{notices[0].id}-{notices[-1].id}")


def brief(notices: Sequence[Notice]) -> str:
    """Return what fits a telephone: raised ones by name, cleared ones after them, and where to see more."""
    raised = list(dict.fromkeys(n.about for n in notices if n.event == "raised"))
    cleared = list(dict.fromkeys(n.about for n in notices if n.event == "cleared"))
    parts = [f"{word} {'、'.join(of)}" for word, of in (("告警", raised), ("恢复", cleared)) if of]
    text = f"【医联】{'；'.join(parts)}"
    end = "。详见 yilian alerts list"
    room = LONGEST - len(end)
    return (text if len(text) <= room else f"{text[: room - 1]}…") + end
