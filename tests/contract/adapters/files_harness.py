"""The poller of a drop folder, and a campus that puts files there. Its answer is what the poller says of
itself.
"""

from __future__ import annotations

import itertools
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from adapters.files.client import open_place
from adapters.files.codec import Reading
from adapters.files.ledger import Ledger
from adapters.files.server import Poller
from adapters.files.settings import Source
from bus.hl7.charset import codec_for
from runtime.settings import FilePlace, Settings
from tests.contract.adapters.harness import Answer, Patient, Running


class _Campus:
    """One folder and one poller for each character set."""

    def __init__(self, root: Path, database_url: str, opened: ExitStack) -> None:
        self._root = root
        self._settings = Settings(database_url=database_url, routing_key="key")
        self._opened = opened
        self._pollers: dict[str, Poller] = {}
        self._last = ""
        self._names = itertools.count()
        self._seconds = itertools.count(step=60)

    def send(self, patient: Patient, charset: str) -> Answer:
        """Put a file of one row there, and let the poller look until it has settled."""
        row = f"{patient.id},{patient.id},{patient.name},{patient.phone}\n"
        return self._send(row, charset)

    def send_bad(self) -> Answer:
        """A row without its key."""
        return self._send(",P1,珅,1\n", "UTF-8")

    def detail(self) -> Mapping[str, Any]:
        """As the process shows it, of the folder used last."""
        return self._poller(self._last or "UTF-8").detail()

    def _send(self, row: str, charset: str) -> Answer:
        poller, self._last = self._poller(charset), charset
        body = f"no,patient,name,phone\n{row}".encode(codec_for(charset))
        (self._folder(charset) / f"{next(self._names)}.csv").write_bytes(body)
        before = poller.detail()["refused"]
        for _ in range(2):
            poller.attempt()
        detail = poller.detail()
        if detail["refused"] > before:
            return Answer("refused", self._reason())
        return Answer(detail["state"], detail["reason"])

    def _reason(self) -> str:
        with psycopg.connect(self._settings.database_url) as connection:
            row = connection.execute("SELECT code, reason FROM bus.refusal ORDER BY id DESC").fetchone()
        assert row is not None
        return f"{row[0]}: {row[1]}"

    def _folder(self, charset: str) -> Path:
        folder = self._root / charset
        folder.mkdir(exist_ok=True)
        return folder

    def _poller(self, charset: str) -> Poller:
        if charset not in self._pollers:
            self._pollers[charset] = self._made(charset)
        return self._pollers[charset]

    def _made(self, charset: str) -> Poller:
        source = Source.model_validate(
            {
                "name": "desk_" + "".join(filter(str.isalnum, charset.lower())),
                "facility": "NS",
                "sender": "HIS",
                "pattern": "*.csv",
                "message_type": "csv:patient",
                "key": ["no"],
                "patient": "patient",
                "csv": {"charset": charset},
                "settle": 0,
            }
        )
        place = self._opened.enter_context(closing(open_place(FilePlace(url=str(self._folder(charset))))))
        ledger = self._opened.enter_context(closing(Ledger(self._settings, source)))
        reading = Reading(source, "utf-8", 10_000)
        spool = self._root / "spool"
        spool.mkdir(exist_ok=True)
        return Poller(
            reading, place, ledger, spool, threading.Event(), clock=lambda: float(next(self._seconds))
        )


class FilesHarness:
    """`adapters.files`."""

    name_path = "name"
    bad_code = "missing_key"

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="yilian-files-")

    @contextmanager
    def running(self, database_url: str) -> Iterator[Running]:
        """Poll a folder; it outlives a restart of the poller."""
        with ExitStack() as opened:
            yield _Campus(Path(self._folder.name), database_url, opened)

    def close(self) -> None:
        """Remove the folder."""
        self._folder.cleanup()
