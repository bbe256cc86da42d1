"""Files delivered: what lies in the folder when, and that nothing else is touched."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters.files.outbound import FilesTransport
from bus.delivery.transport import Answer, NotSentError, SentForm, Verdict
from runtime.settings import FilePlace
from tests.contract.outbound.files_harness import files
from tests.contract.outbound.harness import outgoing


async def nothing(_form: SentForm) -> None:
    """Nobody is told."""


@asynccontextmanager
async def writing(root: Path, temporary: str | None = None) -> AsyncIterator[FilesTransport]:
    transport = FilesTransport(files(temporary=temporary), FilePlace(url=str(root)))
    try:
        yield transport
    finally:
        await transport.close()


def names(root: Path) -> list[str]:
    """Return what lies there."""
    return [path.name for path in root.iterdir()]


async def sent(transport: FilesTransport) -> Answer:
    return await transport.send(outgoing(1), nothing)


async def test_the_bytes_are_those_of_the_message_and_again_is_no_second_file(tmp_path: Path) -> None:
    async with writing(tmp_path) as transport:
        assert await sent(transport) == Answer(Verdict.TAKEN, "written", _size())
        first = (tmp_path / "C1.hl7").stat()
        assert await sent(transport) == Answer(Verdict.TAKEN, "there_already", _size())
    assert (tmp_path / "C1.hl7").read_bytes() == outgoing(1).body
    assert (tmp_path / "C1.hl7").stat().st_ino == first.st_ino
    assert names(tmp_path) == ["C1.hl7"]


def _size() -> bytes:
    return f"{len(outgoing(1).body)} bytes".encode()


@pytest.mark.parametrize(("temporary", "name"), [(None, ".C1.hl7.tmp"), (".part", "C1.hl7.part")])
async def test_until_it_is_whole_it_has_the_temporary_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temporary: str | None, name: str
) -> None:
    seen: list[list[str]] = []
    sync = os.fsync

    def looking(descriptor: int) -> None:
        sync(descriptor)
        seen.append(names(tmp_path))

    monkeypatch.setattr(os, "fsync", looking)
    async with writing(tmp_path, temporary) as transport:
        assert (await sent(transport)).verdict is Verdict.TAKEN
    assert seen == [[name], ["C1.hl7"]]


async def test_a_folder_that_is_not_there_is_told_at_the_start_with_what_to_do(tmp_path: Path) -> None:
    async with writing(tmp_path / "gone") as transport:
        with pytest.raises(NotSentError, match=r"there is no folder .*: make it") as raised:
            await transport.check()
    assert raised.value.code == "place"


async def test_a_disk_that_is_full_is_tried_again_and_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        async with writing(tmp_path) as transport:
            answer = await sent(transport)
    assert (answer.verdict, answer.code) == (Verdict.LATER, "not_now")
    assert names(tmp_path) == []
