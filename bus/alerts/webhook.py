"""Telling a program of alerts: each by itself, as JSON."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from bus.alerts.channel import PATIENCE, Notice


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuses to follow: a token must not go elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class Webhook:
    """`bus.alerts.channel.Channel` to an http:// or https:// address."""

    url: str
    token: str
    pause: float = 0.0
    most: int = 1

    def tell(self, notices: Sequence[Notice]) -> None:
        """Post it. Raises OSError for anything but a 2xx."""
        for notice in notices:
            post_json(self.url, self.token, {"event": notice.event, **asdict(notice.alert)})


def post_json(
    url: str, token: str, content: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> None:
    """Post JSON to an address whose scheme was checked; follows no redirect, uses no proxy.

    Raises OSError for anything but a 2xx.
    """
    body = json.dumps(content, default=_plain, ensure_ascii=False).encode()
    every = {"Content-Type": "application/json", **(headers or {})}
    if token:
        every["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, body, every, method="POST")  # noqa: S310 - the caller checks the scheme
    opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=PATIENCE):
        return


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
