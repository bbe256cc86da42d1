"""The platform as people at work meet it: its API, each of them signed in as themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from simulators.delivery import SimulatorError
from simulators.huangpu.account import Account

LIMIT = 60.0
"""Seconds that an answer, or something that comes by itself, may take."""
PAUSE = 0.3
Body = Mapping[str, Any]
T = TypeVar("T")


class Office:
    """Everybody's desk. Each call has an idempotency key of its own, which a repetition keeps."""

    def __init__(
        self, api: str, password: str, run: str, transport: httpx.BaseTransport | None = None
    ) -> None:
        """Work at that origin; `run` is in no earlier demonstration's keys."""
        self._accounts: dict[str, Account] = {}
        self._api = api
        self._password = password
        self._run = run
        self._calls = 0
        self._http = httpx.Client(base_url=api, timeout=LIMIT, trust_env=False, transport=transport)

    def __enter__(self) -> Self:
        """Open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._http.close()

    def read(self, user: str, path: str, **asked: Any) -> Any:
        """GET it. Raises SimulatorError unless it is answered."""
        return self._answered(user, self._call(user, "GET", path, asked=asked))

    def send(self, user: str, path: str, body: Body, method: str = "POST") -> Any:
        """Send it; returns the answer, None where there is nothing in it. Raises SimulatorError."""
        return self._answered(user, self._call(user, method, path, body))

    def refused(self, user: str, path: str, body: Body, code: int) -> dict[str, Any]:
        """Send what must be refused with that status; returns the problem. Raises SimulatorError."""
        answer = self._call(user, "POST", path, body)
        if answer.status_code != code:
            raise SimulatorError(
                f"{user} POST {path}: HTTP {answer.status_code}, where {code} was promised: {_detail(answer)}"
            )
        problem: dict[str, Any] = answer.json()
        return problem

    def _call(
        self, user: str, method: str, path: str, body: Body | None = None, asked: Body | None = None
    ) -> httpx.Response:
        self._calls += 1
        account = self._accounts.setdefault(user, Account(self._api, self._password, user))
        headers = {
            "Authorization": f"Bearer {account.token()}",
            "Idempotency-Key": f"{self._run}-{self._calls}",
        }
        try:
            return self._http.request(method, path, json=body, params=asked, headers=headers)
        except httpx.TransportError as error:
            raise SimulatorError(
                f"{self._api}{path} is out of reach ({type(error).__name__}); see ./yilian status"
            ) from error

    @staticmethod
    def _answered(user: str, answer: httpx.Response) -> Any:
        if answer.is_error:
            request = answer.request
            raise SimulatorError(
                f"{user} {request.method} {request.url.path}: HTTP {answer.status_code}: {_detail(answer)};"
                " see ./yilian status and ./yilian logs api"
            )
        return answer.json() if answer.content else None


def awaited(ask: Callable[[], T | None], complaint: Callable[[], str], limit: float = LIMIT) -> T:
    """Ask until there is an answer. Raises SimulatorError with the complaint after `limit` seconds."""
    ends = time.monotonic() + limit
    while (answer := ask()) is None:
        if time.monotonic() > ends:
            raise SimulatorError(f"not within {limit:.0f} s: {complaint()}")
        time.sleep(PAUSE)
    return answer


def _detail(answer: httpx.Response) -> str:
    try:
        told = answer.json()
    except ValueError:
        return answer.text[:200]
    return str(told.get("detail") or told) if isinstance(told, dict) else str(told)[:200]
