"""Delivering files: each message under a name of its own, whole or not at all."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

from adapters.files.client import lies, open_place, write_file
from adapters.files.place import GoneError, NameTakenError, NotNowError, Place, PlaceDownError, PlaceError
from adapters.threads import in_thread
from bus.delivery.shaping import leaf, opened
from bus.delivery.transport import (
    Answer,
    Found,
    NotSentError,
    OnWire,
    Outgoing,
    UnansweredError,
    UnsendableError,
    Verdict,
)
from bus.rules.destinations import FilesDestination
from bus.rules.sending.files import OF_ROW
from bus.rules.sending.verify import INSERTED
from runtime.settings import FilePlace

_UNUSABLE = re.compile(r"[/\\%\x00-\x1f\x7f]")
NAME_LIMIT = 200
"""Bytes of a file's name: shares allow 255, and the temporary name is longer."""


class FilesTransport:
    """`bus.delivery.transport.Transport` into a folder or an SFTP directory.

    A place does one thing at a time, so that what hangs is cut without the others: there are as many as
    messages are on their way.
    """

    def __init__(self, spec: FilesDestination, told: FilePlace) -> None:
        """Raises PermanentError for a place that cannot be; it is connected when it is first needed."""
        self._spec = spec
        self._told = told
        self._idle: list[Place] = [open_place(told)]
        self._closing: set[asyncio.Task[None]] = set()

    async def check(self) -> None:
        """Look whether the folder is there; see `Transport`."""
        place = self._taken()
        try:
            await self._reach(place)
        except BaseException:
            self._drop(place)
            raise
        self._idle.append(place)

    async def send(self, message: Outgoing, on_wire: OnWire) -> Answer:
        """Write one message; see `Transport`."""
        name = file_name(self._spec, message)
        place = self._taken()
        try:
            await self._reach(place)
            await on_wire(replace(message.as_it_is, place=name))
            answer = await self._written(place, name, message.body)
        except BaseException:
            self._drop(place)
            raise
        self._idle.append(place)
        return answer

    async def arrived(self, message: Outgoing) -> Found:
        """Look whether the file is there; see `Asking`."""
        name = file_name(self._spec, message)
        place = self._taken()
        try:
            await self._reach(place)
            async with asyncio.timeout(self._spec.timeout_seconds):
                there = await in_thread(lambda: lies(place, name, message.body))
        except (PlaceError, PlaceDownError, GoneError, TimeoutError, NotSentError):
            self._drop(place)
            return Found.UNTOLD
        except BaseException:
            self._drop(place)
            raise
        self._idle.append(place)
        return Found.THERE if there else Found.NOT_THERE

    async def close(self) -> None:
        """Close all connections."""
        while self._idle:
            self._drop(self._idle.pop())
        if self._closing:
            await asyncio.wait(self._closing)

    def _taken(self) -> Place:
        return self._idle.pop() if self._idle else open_place(self._told)

    def _drop(self, place: Place) -> None:
        """Close a place without waiting for it: a call that hangs in it ends so."""
        task = asyncio.create_task(in_thread(place.close))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _reach(self, place: Place) -> None:
        try:
            async with asyncio.timeout(self._spec.timeout_seconds):
                await in_thread(place.reach)
        except PlaceError as error:
            raise NotSentError(f"no connection with {self._spec.place}: {error}", "place") from error
        except (PlaceDownError, GoneError, TimeoutError) as error:
            what = str(error) or "it does not answer in time"
            raise NotSentError(f"no connection with {self._spec.place}: {what}") from error

    async def _written(self, place: Place, name: str, body: bytes) -> Answer:
        temporary = f"{name}{self._spec.temporary}" if self._spec.temporary else ""
        try:
            async with asyncio.timeout(self._spec.timeout_seconds):
                new = await in_thread(lambda: write_file(place, name, body, temporary))
        except NameTakenError as error:
            return Answer(Verdict.NEVER, "name_taken", str(error).encode())
        except PlaceError as error:
            return Answer(Verdict.WRONG_DOOR, "place", str(error).encode())
        except (NotNowError, GoneError) as error:
            return Answer(Verdict.LATER, "not_now", str(error).encode())
        except (PlaceDownError, TimeoutError) as error:
            what = str(error) or "it did not answer in time"
            raise UnansweredError(f"it is not known whether the file was written: {what}") from error
        return Answer(Verdict.TAKEN, "written" if new else "there_already", f"{len(body)} bytes".encode())


def file_name(spec: FilesDestination, message: Outgoing) -> str:
    """Return the name of a message's file, the same in every try. Raises UnsendableError.

    What no name may hold stands in it as %2F and the like, so that two values never give one name.
    """
    values = {
        "control_id": message.control_id,
        "delivery_id": str(message.id),
        "message_id": str(message.message_id),
    }
    source = opened(message) if any(spec.paths) else None

    def value(match: re.Match[str]) -> str:
        path = match[1]
        found = values[path] if path in OF_ROW else None
        if source is not None and path not in OF_ROW:
            found = leaf(path, source, message, "file")
        if not found:
            raise UnsendableError("missing", f"file: the message has nothing at {path}")
        return _UNUSABLE.sub(lambda one: f"%{ord(one[0]):02X}", str(found))

    name = INSERTED.sub(value, spec.file)
    if name.startswith("."):
        raise UnsendableError("bad_name", "file: the name would begin with a dot; write something before it")
    if len(name.encode()) > NAME_LIMIT:
        raise UnsendableError("bad_name", f"file: the name would be longer than {NAME_LIMIT} bytes")
    return name
