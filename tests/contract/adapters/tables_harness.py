"""The poller, and a campus that writes its own tables. Its answer is what the poller says of itself."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg

from adapters.tables.client import Source
from adapters.tables.server import Poller
from adapters.tables.settings import Campus, campus
from adapters.tables.store import Store
from runtime.settings import CHECKOUT, Settings
from tests.conftest import replace_path
from tests.contract.adapters.harness import Answer, Patient, Running
from tests.integration.adapters.tables.conftest import SCHEMA, Hospital


class _Campus:
    """A hospital's desk in front of a poller."""

    def __init__(self, hospital: Hospital, source: Source, store: Store, described: Campus) -> None:
        self._hospital = hospital
        self._source = source
        self._store = store
        self._described = described
        self._poller = self._polling(described)

    def send(self, patient: Patient, charset: str) -> Answer:
        """Write the patient down, and let the poller look."""
        connection = self._hospital.connection
        connection.execute("SELECT set_config('client_encoding', %s, false)", (charset,))
        self._hospital.patient(patient.id, "01:00:00", name=patient.name, phone=patient.phone)
        self._poller.attempt()
        return self._said(self._poller)

    def send_bad(self) -> Answer:
        """Let the tables be other than they are described."""
        patients = self._described.table("patient").model_copy(update={"key": "nothing_of_that_name"})
        self._poller.campus = self._described.model_copy(update={"tables": (patients,)})
        self._poller.attempt()
        self._poller.campus = self._described
        return self._said(self._poller)

    def detail(self) -> Mapping[str, Any]:
        """As the process shows it."""
        return self._poller.detail()

    def _polling(self, described: Campus) -> Poller:
        return Poller(described, self._source, self._store, threading.Event())

    @staticmethod
    def _said(poller: Poller) -> Answer:
        detail = poller.detail()
        return Answer(detail["state"], detail["reason"])


class TablesHarness:
    """`adapters.tables`."""

    name_path = "name"
    bad_code = ""

    def __init__(self) -> None:
        self._source_url = ""

    @contextmanager
    def running(self, database_url: str) -> Iterator[Running]:
        """Poll a hospital's database on the same server; it outlives a restart of the poller."""
        described = campus("HY", CHECKOUT / "rules")
        described = described.model_copy(update={"tables": (described.table("patient"),), "interval": 0.01})
        with ExitStack() as opened:
            if not self._source_url:
                self._source_url = _hospital(database_url)
            url = self._source_url
            settings = Settings(database_url=database_url, huiya_url=url, routing_key="key")
            desk = opened.enter_context(psycopg.connect(url, autocommit=True))
            source = opened.enter_context(Source(described, url))
            store = opened.enter_context(Store(settings))
            yield _Campus(Hospital(desk), source, store, described)

    def close(self) -> None:
        """Remove the hospital."""
        if self._source_url:
            name = self._source_url.rpartition("/")[2]
            with psycopg.connect(replace_path(self._source_url, "postgres"), autocommit=True) as admin:
                admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _hospital(database_url: str) -> str:
    name = f"huiya_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(replace_path(database_url, "postgres"), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"'.encode())
    url = replace_path(database_url, name)
    with psycopg.connect(url) as connection:
        connection.execute(SCHEMA.read_bytes())
    return url
