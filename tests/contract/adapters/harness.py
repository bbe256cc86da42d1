"""What the contract suite needs of an adapter: to start it on a database, and to send as a campus does."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml

from tests.conftest import CHECKOUT


@dataclass(frozen=True)
class Patient:
    """What is sent: one patient under an id by which the sender knows the message."""

    id: str
    name: str
    phone: str = "13800000001"


@dataclass(frozen=True)
class Answer:
    """What the campus was told, in the protocol's own words."""

    word: str
    """AA, 202, soap:Client, polling …: one of the manifest's `answers`."""
    reason: str = ""
    same: str = ""
    """What a retry must be told again, beside the word."""


class Running(Protocol):
    """An adapter that runs, and a campus in front of it."""

    def send(self, patient: Patient, charset: str) -> Answer:
        """Send a patient in a character set of the manifest."""
        ...

    def send_bad(self) -> Answer:
        """Send what can never be taken."""
        ...

    def detail(self) -> Mapping[str, Any]:
        """Return what the heartbeat shows of this adapter."""
        ...


class Harness(Protocol):
    """One adapter for the suite."""

    name_path: str
    """Where a rule finds the patient's name."""
    bad_code: str
    """The code of the refusal of what `send_bad` sends; "" where it is not in the message list."""

    def running(self, database_url: str) -> AbstractContextManager[Running]:
        """Start the adapter on a database, and stop it at the end."""
        ...


def manifest(kind: str) -> dict[str, Any]:
    """Read an adapter's manifest."""
    path: Path = CHECKOUT / "adapters" / kind / "manifest.yaml"
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found
