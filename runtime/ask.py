"""Asking one of our own services over HTTP."""

from __future__ import annotations

import http.client
import json
from typing import Any

from consortium.errors import RetryableError


class RefusedError(RetryableError):
    """The service answered with an error status."""

    def __init__(self, status: int, path: str) -> None:
        """Keep the status."""
        super().__init__(f"{path} answers with status {status}")
        self.status = status


FAILURES = (OSError, http.client.HTTPException, ValueError, RefusedError)
"""What `ask` raises when the service is away, broken off, talks no JSON, or refuses."""


def ask(host: str, port: int, path: str, *, token: str = "", body: Any = None, timeout: float = 10) -> bytes:
    """GET a path, or POST `body` as JSON to it; return what came. Raises one of `FAILURES`."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        content = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", path, content, headers)
        response = connection.getresponse()
        content_back = response.read()
    finally:
        connection.close()
    if response.status >= 400:
        raise RefusedError(response.status, path)
    return content_back
