"""The REST uploads, and a campus's HTTP client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from adapters.counted import Counted
from adapters.rest.server import create_router
from adapters.uploads import UploadSettings
from bus.inbox import Inbox
from tests.contract.adapters.harness import Answer, Patient, Running
from tests.integration.adapters.serving import authenticate, serving

SETTINGS = UploadSettings(frozenset({"HP"}), body_limit=1024 * 1024)
AUTH = ("system.huangpu", "right")


class _Client:
    """A client of the patient interface."""

    def __init__(self, url: str, inbox: Counted) -> None:
        self._url = url
        self._inbox = inbox

    def send(self, patient: Patient, charset: str) -> Answer:
        """POST the patient."""
        person = {"number": patient.id, "name": patient.name, "phone": patient.phone}
        return self._post({"patient": person}, patient.id, charset)

    def send_bad(self) -> Answer:
        """A patient without a number."""
        return self._post({"patient": {"name": "x"}}, "BAD", "utf-8")

    def detail(self) -> dict[str, int]:
        """As the process shows it."""
        return self._inbox.detail()

    def _post(self, value: dict[str, Any], key: str, charset: str) -> Answer:
        response = httpx.post(
            f"{self._url}/api/v1/upload/HP/patient",
            content=json.dumps(value, ensure_ascii=False).encode(charset),
            headers={"Content-Type": "application/json", "Idempotency-Key": key},
            auth=AUTH,
            timeout=60,
            trust_env=False,
        )
        told = response.json()
        code = told.get("type", "").rpartition(":")[2]
        return Answer(str(response.status_code), f"{code} {told.get('detail', '')}", str(told.get("id", "")))


class RestHarness:
    """`adapters.rest`."""

    name_path = "patient.name"
    bad_code = "schema"

    @contextmanager
    def running(self, database_url: str) -> Iterator[Running]:
        """Serve by uvicorn."""
        made: list[Counted] = []

        def application(inbox: Inbox) -> FastAPI:
            made.append(Counted(inbox))
            app = FastAPI()
            app.include_router(create_router(made[0], SETTINGS, authenticate))
            return app

        with serving(database_url, application) as url:
            yield _Client(url, made[0])
