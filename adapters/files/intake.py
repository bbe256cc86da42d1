"""One file's way: claimed, copied, looked through, put into the inbox page by page, moved to archive or
reject.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import file_digest
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Protocol

import structlog

from adapters.files.codec import Reading, read
from adapters.files.ledger import Counts, File
from adapters.files.place import ARCHIVE, CLAIMED, REJECT, Entry, Place, StoppedError, TooLargeError, copy
from adapters.files.records import Bad, FileError, Record
from adapters.files.settings import Complete
from bus.envelope import Refusal

SHOWN = 20
"""Refused records that a .reason file lists."""
_LONGEST = 180
"""Bytes of a name in archive; a file system takes 255."""

log = structlog.get_logger("adapters.files")


@dataclass(frozen=True, slots=True)
class Copied:
    """A file's content, copied so that nobody changes it while it is read."""

    content: BinaryIO
    digest: bytes
    entry: Entry


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a file: archived, rejected, again (the same content came before), put_back, stopped."""

    outcome: str
    counts: Counts = field(default_factory=Counts)


class Book(Protocol):
    """What is known of files and their records: `adapters.files.ledger.Ledger`."""

    def close(self) -> None:
        """Let go of the connection."""
        ...

    def begin(self, digest: bytes, name: str, size: int) -> File:
        """Return what is known of a file, noting it when it is new. One that was rejected begins anew."""
        ...

    def store(self, file: File, name: str, found: Sequence[Record | Bad]) -> Counts:
        """Commit records and, while the file is being read, how far it is read; together."""
        ...

    def finish(
        self, file: File, state: str, reason: str | None = None, refusal: Refusal | None = None
    ) -> None:
        """Note that a file is taken or rejected."""
        ...

    def refuse(self, refusal: Refusal) -> None:
        """Keep what is refused without having been read."""
        ...

    def moved(self, file: File) -> None:
        """Note that a file lies in archive or reject."""
        ...

    def settle(self) -> None:
        """Note that nothing waits to be moved: no file is claimed."""
        ...

    def refusal(self, name: str, bad: Bad, file: File | None = None) -> Refusal:
        """Return the refusal of a record; of a whole file where its number is 0."""
        ...


class Intake:
    """Takes the files of one source. Errors of the place and of the database pass through."""

    def __init__(
        self, reading: Reading, place: Place, ledger: Book, spool: Path, go_on: Callable[[], bool]
    ) -> None:
        """`spool`: folder for copies. `go_on` is asked between pages."""
        self._reading = reading
        self._source = reading.source
        self._place = place
        self._ledger = ledger
        self._spool = spool
        self._go_on = go_on

    def claim(self, entry: Entry) -> None:
        """Take a file out of its sender's hands. Raises GoneError when it is gone."""
        self._place.move(entry.name, _claimed(entry.name))
        self._drop_marker(entry.name)

    def take(self, entry: Entry) -> Taken:
        """Bring a claimed file to its end; safe to repeat after a crash at any point."""
        self._drop_marker(entry.name)
        if not entry.plain:
            bad = Bad(
                0, "not_a_file", "a link, pipe or device: it is not followed; send the file itself", b""
            )
            return self._refuse_unread(entry, bad)
        if not entry.size:
            bad = Bad(0, "empty_file", "the file is empty: ask its sender whether that is meant", b"")
            return self._refuse_unread(entry, bad)
        try:
            with self._copied(entry) as copied:
                return self._put_back(entry) if copied is None else self._read(copied)
        except TooLargeError as error:
            return self._refuse_unread(entry, Bad(0, "too_large", str(error), b""))
        except StoppedError:
            return Taken("stopped")

    def _read(self, copied: Copied) -> Taken:
        name = shown(copied.entry.name)
        file = self._ledger.begin(copied.digest, name, copied.entry.size)
        if file.state == "rejected":
            return self._reject(file, copied, file.reason or "")
        if file.state == "taken" and not (file.moved and file.refused):
            return self._end(file, copied, Taken("again" if file.moved else "archived"))
        if file.state == "reading" and not file.records and (problem := self._survey(copied)):
            refusal = self._ledger.refusal(name, Bad(0, problem.code, problem.reason, b""), file)
            self._ledger.finish(file, "rejected", problem.text, refusal)
            return self._reject(file, copied, problem.text)
        counts = self._store(file, copied, name)
        if file.state == "reading":
            self._ledger.finish(file, "taken")
        return self._end(file, copied, Taken("again" if file.moved else "archived", counts))

    def _survey(self, copied: Copied) -> _Problem | None:
        """Look through a whole file before any of it is stored; return why it is rejected whole."""
        refused: list[str] = []
        count = 0
        try:
            for found in self._records(copied):
                if isinstance(found, Bad):
                    count += 1
                    if len(refused) < SHOWN:
                        refused.append(f"line {found.line}: {found.code}: {found.reason}")
        except FileError as error:
            return _Problem(error.code, str(error), refused)
        if count <= self._source.most_bad:
            return None
        reason = f"{count} records cannot be taken; the source's most_bad is {self._source.most_bad}"
        return _Problem("too_many_bad", reason, refused)

    def _store(self, file: File, copied: Copied, name: str) -> Counts:
        """Put the records behind the ledger's mark into the inbox. Raises StoppedError between two pages."""
        records = self._records(copied)
        if file.state == "reading":
            wanted = (one for one in records if one.number > file.records)
        else:  # it was taken but for these, and comes again
            wanted = (one for one in records if one.number in file.refused)
        counts = Counts()
        while page := list(islice(wanted, self._source.page)):
            counts += self._ledger.store(file, name, page)
        return counts

    def _records(self, copied: Copied) -> Iterator[Record | Bad]:
        copied.content.seek(0)
        for record in read(copied.content, self._reading):
            if record.number % self._source.page == 0 and not self._go_on():
                raise StoppedError("told to stop while a file was read")
            yield record

    def _end(self, file: File, copied: Copied, taken: Taken) -> Taken:
        if self._place.look(_claimed(copied.entry.name)) != copied.entry:
            # Written on while it was read: what was added comes as another file.
            self._ledger.moved(file)
            self._put_back(copied.entry)
            return Taken("put_back", taken.counts)
        self._place.move(_claimed(copied.entry.name), _kept(ARCHIVE, copied.digest.hex()[:12], copied.entry))
        self._ledger.moved(file)
        log.info("file_taken", source=self._source.name, file=file.id, outcome=taken.outcome)
        return taken

    def _reject(self, file: File, copied: Copied, reason: str) -> Taken:
        self._put_aside(copied.entry, copied.digest.hex()[:12], f"文件号 file: {file.id}\n{reason}")
        self._ledger.moved(file)
        log.warning("file_rejected", source=self._source.name, file=file.id)
        return Taken("rejected")

    def _refuse_unread(self, entry: Entry, bad: Bad) -> Taken:
        self._ledger.refuse(self._ledger.refusal(shown(entry.name), bad))
        self._put_aside(entry, f"unread-{int(entry.modified)}", f"{bad.code}: {bad.reason}")
        log.warning("file_rejected", source=self._source.name, code=bad.code)
        return Taken("rejected", Counts(refused=1))

    def _put_aside(self, entry: Entry, mark: str, reason: str) -> None:
        path = _kept(REJECT, mark, entry)
        text = (
            f"来源 source: {self._source.name}\n原因 reason: {reason}\n"
            "处理 what to do: 修正文件或来源配置后重新放入目录"
            " mend the file or the source, then put it into the folder again\n"
        )
        self._place.write(f"{path}.reason", text.encode())
        self._place.move(_claimed(entry.name), path)

    def _put_back(self, entry: Entry) -> Taken:
        """Return a file that is still being written to its folder, where it waits until it is complete."""
        if self._place.look(entry.name) is None:
            self._place.move(_claimed(entry.name), entry.name)
            if self._source.complete is Complete.DONE:
                self._place.write(entry.name + self._source.done_suffix, b"")
        log.warning("file_put_back", source=self._source.name)
        return Taken("put_back")

    def _drop_marker(self, name: str) -> None:
        # Without its file a marker would make the next file of that name look complete.
        if self._source.complete is Complete.DONE and self._place.look(name) is None:
            self._place.remove(name + self._source.done_suffix)

    @contextmanager
    def _copied(self, entry: Entry) -> Iterator[Copied | None]:
        """Give a copy; None when the file changed meanwhile."""
        with tempfile.TemporaryFile(dir=self._spool) as content:
            size = copy(self._place, _claimed(entry.name), content, self._source.file_limit, self._go_on)
            if self._place.look(_claimed(entry.name)) != entry or size != entry.size:
                yield None
                return
            content.seek(0)
            yield Copied(content, file_digest(content, "sha256").digest(), entry)


@dataclass(frozen=True, slots=True)
class _Problem:
    """Why a file is rejected whole."""

    code: str
    reason: str
    refused: list[str]

    @property
    def text(self) -> str:
        """For a person."""
        return "\n".join([f"{self.code}: {self.reason}", *self.refused])


def shown(name: str) -> str:
    """Return a file's name as text: one that is not UTF-8 comes from a system that writes GB 18030."""
    raw = os.fsencode(name)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("gb18030", "replace")


def _claimed(name: str) -> str:
    return f"{CLAIMED}/{name}"


def _kept(folder: str, mark: str, entry: Entry) -> str:
    """Return where a file is kept: by day, marked, so that only the same content meets under a name."""
    day = datetime.fromtimestamp(entry.modified, UTC).astimezone().strftime("%Y-%m-%d")
    name = entry.name if len(os.fsencode(entry.name)) <= _LONGEST else entry.name[-40:]
    return f"{folder}/{day}/{mark}-{name}"
