"""A client of others in JavaScript: `node/`, whose locked packages npm installs once for each state of it."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from runtime.failure import SetupError
from runtime.services.install import ensure
from runtime.settings import home

SOURCES = Path(__file__).parent / "node"
INSTALL_SECONDS = 180
RUN_SECONDS = 60
PROGRAMS = {"node": "nodejs", "npm": "npm"}
_UNREACHED = ("ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN", "E403", "E404", "E5")
"""What npm says where no registry answers, or lacks a part."""


def install(sources: Path = SOURCES) -> Path:
    """Return a folder with the scripts and the packages of the lock; the test is skipped, with the reason,
    where they cannot be had.
    """
    try:
        ensure(PROGRAMS, print)
    except SetupError as error:
        pytest.skip(f"the JavaScript client needs Node and npm: {error} ({error.do})")
    target = home() / "interop-node" / _digest(sources)
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "lock").open("w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if not target.exists():
            _install(sources, target)
    return target


def _install(sources: Path, target: Path) -> None:
    """Install beside the target and name it when it is whole: what is there is whole."""
    making = target.with_suffix(".making")
    shutil.rmtree(making, ignore_errors=True)
    shutil.copytree(sources, making, ignore=shutil.ignore_patterns("node_modules"))
    cache = target.parent / "cache"
    command = [
        "npm",
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--prefer-offline",
        f"--cache={cache}",
    ]
    try:
        done = subprocess.run(
            command, cwd=making, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not end within {INSTALL_SECONDS} s; run it yourself: {' '.join(command)}")
    if done.returncode and any(f"code {code}" in done.stderr for code in _UNREACHED):
        pytest.skip(f"no npm registry was reached, or it lacks a part: {done.stderr[-2000:]}")
    assert done.returncode == 0, done.stderr[-3000:]
    making.rename(target)


def _digest(sources: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted((*sources.glob("*.mjs"), *sources.glob("*.json"))):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


async def run(folder: Path, script: str, *arguments: object, seconds: float = RUN_SECONDS) -> list[list[Any]]:
    """Run a script to its end; return the lines that it says."""
    process = await asyncio.create_subprocess_exec(
        "node", "--unhandled-rejections=strict", script, *map(str, arguments),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=folder,
        env={**os.environ, "NO_PROXY": "127.0.0.1"},
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            said, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complaint.decode(errors="replace")[-3000:]
    return [json.loads(line) for line in said.decode().splitlines()]
