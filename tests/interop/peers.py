"""Systems of others in Java: built from `java/` by Maven, once for each state of its sources, and run.

`java/` holds one Maven project; a folder in it with a pom.xml of its own is another, whose parts do not go
with those of the first.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from runtime.failure import SetupError
from runtime.services.install import ensure
from runtime.settings import home

SOURCES = Path(__file__).parent / "java"
BUILD_SECONDS = 420
RUN_SECONDS = 90
PROGRAMS = {"javac": "openjdk-17-jdk-headless", "mvn": "maven"}


def build(project: str = ".") -> Path:
    """Return the folder of a project's classes; the test is skipped, with the reason, where they cannot be
    built.
    """
    sources = SOURCES / project
    try:
        ensure(PROGRAMS, print)
    except SetupError as error:
        pytest.skip(f"the Java peers need a JDK and Maven: {error} ({error.do})")
    target = home() / "interop-java" / _digest(sources)
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "lock").open("w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if not _whole(target):
            _compile(sources, target)
    return target


def _compile(sources: Path, target: Path) -> None:
    command = ["mvn", "-B", "-q", "-ntp", f"-Dpeers.directory={target}", "process-classes"]
    try:
        done = subprocess.run(
            command, cwd=sources, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"Maven did not end within {BUILD_SECONDS} s; run it yourself: {' '.join(command)}")
    said = done.stdout[-3000:]
    if done.returncode and "COMPILATION ERROR" not in said:
        shutil.rmtree(target, ignore_errors=True)
        pytest.skip(f"Maven Central was not reached, or lacks a part: {said}")
    assert done.returncode == 0, said


def _whole(target: Path) -> bool:
    """Say whether it was built before, and Maven has still what it needs."""
    listed = target / "classpath"
    return listed.exists() and all(Path(path).exists() for path in listed.read_text().strip().split(":"))


def _digest(sources: Path) -> str:
    files = (path for path in (sources / "src").rglob("*") if path.suffix in {".java", ".properties"})
    digest = hashlib.sha256()
    for path in sorted((*files, sources / "pom.xml")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@dataclass
class Peer:
    """One that listens."""

    port: int
    process: asyncio.subprocess.Process

    async def line(self) -> list[str]:
        """Return the next line that it says, as fields."""
        assert self.process.stdout is not None
        async with asyncio.timeout(RUN_SECONDS):
            said = await self.process.stdout.readline()
        assert said, "it ended"
        return said.decode().rstrip("\n").split("\t")

    async def lines(self, count: int) -> list[list[str]]:
        """Return the next lines."""
        return [await self.line() for _ in range(count)]

    def press_enter(self) -> None:
        """Let it go on where it waits for a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")


@dataclass(frozen=True)
class Peers:
    """What was built."""

    target: Path
    package: str = "yilian.peers"

    async def run(self, name: str, *arguments: object, options: tuple[str, ...] = ()) -> list[list[str]]:
        """Run a peer to its end; return the lines that it says, as fields. `options` are Java's."""
        process = await self._start(name, arguments, asyncio.subprocess.PIPE, options)
        async with _ended(process), asyncio.timeout(RUN_SECONDS):
            said, complaint = await process.communicate()
        assert process.returncode == 0, complaint.decode(errors="replace")[-3000:]
        return [line.split("\t") for line in said.decode().splitlines()]

    @asynccontextmanager
    async def listening(self, name: str, port: int, *arguments: object) -> AsyncIterator[Peer]:
        """Run a peer that listens on a port until the block ends."""
        process = await self._start(name, (port, *arguments), None)
        async with _ended(process):
            peer = Peer(port, process)
            assert await peer.line() == ["ready"]
            yield peer

    async def _start(
        self, name: str, arguments: tuple[object, ...], stderr: int | None, more: tuple[str, ...] = ()
    ) -> asyncio.subprocess.Process:
        classes = f"{self.target / 'classes'}:{(self.target / 'classpath').read_text().strip()}"
        # Generated classes have Chinese names, and so have their files.
        options = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8")
        return await asyncio.create_subprocess_exec(
            "java", *options, *more, "-cp", classes, f"{self.package}.{name}", *map(str, arguments),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=stderr, limit=2**22,
            env={**os.environ, "LC_ALL": "C.UTF-8"}, cwd=self.target,
        )  # fmt: skip


@asynccontextmanager
async def _ended(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        if process.stdin is not None:
            process.stdin.close()
