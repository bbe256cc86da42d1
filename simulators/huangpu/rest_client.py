"""Huangpu's REST client."""

from __future__ import annotations

import json
from datetime import date, datetime

import httpx

from simulators.delivery import Answer
from simulators.huangpu.account import Account
from simulators.huangpu.upload import Upload

SECONDS = 60


class RestClient:
    """Sends uploads as JSON, one after the other."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._http = httpx.Client(base_url=account.api, timeout=SECONDS)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def send(self, upload: Upload) -> Answer:
        """Send one upload; raises httpx.TransportError when the platform is out of reach."""
        answer = self._http.post(
            f"/api/v1/upload/HP/{upload.interface}",
            content=body(upload),
            headers={
                "Content-Type": "application/json",
                "Idempotency-Key": upload.control_id,
                "X-Sending-System": upload.sender,
                "Authorization": f"Bearer {self._account.token()}",
            },
        )
        said = answer.json()
        if answer.status_code == httpx.codes.ACCEPTED:
            return Answer(True, "AA", said["outcome"])
        return Answer(False, str(said["type"]).rpartition(":")[2], str(said.get("detail", "")))


def body(upload: Upload) -> bytes:
    """Return the JSON of an upload, its local times without a zone."""
    content = {"sent_at": upload.at, **upload.content}
    return json.dumps(content, ensure_ascii=False, default=_local).encode()


def _local(value: date) -> str:
    return value.replace(tzinfo=None).isoformat() if isinstance(value, datetime) else value.isoformat()
