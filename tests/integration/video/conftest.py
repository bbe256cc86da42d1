"""A real LiveKit, Chromium, and the API between them; skipped, with the reason, where one cannot be had."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.app import create_app
from runtime import ports
from runtime.failure import SetupError
from runtime.services import livekit, livekit_build, room_script, video_tools
from runtime.services.install import ensure
from tests.integration.api.conftest import connected, seeded_database, seeded_url, settings_for
from tests.interop.node_peers import install
from tests.serving import served

__all__ = ["seeded_database", "seeded_url"]
NODE = Path(__file__).parent / "node"


@dataclass(frozen=True)
class Video:
    """A platform with video."""

    origin: str
    """Of the API, http://host:port."""
    server: livekit.Server
    engine: sa.Engine


@pytest.fixture(scope="session")
def livekit_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LiveKit's program: `YILIAN_TEST_LIVEKIT`, the machine's, or built now, which takes minutes once."""
    if given := os.environ.get("YILIAN_TEST_LIVEKIT"):
        return Path(given)
    if found := livekit.locate():
        return found
    try:
        return livekit_build.build(print, tmp_path_factory.mktemp("build") / "log", waited_for=True)
    except SetupError as error:
        pytest.skip(f"LiveKit cannot be had: {error}")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Chromium, which is installed where we may."""
    try:
        ensure({"chromium": "chromium"}, print)
    except SetupError as error:
        pytest.skip(f"the tabs need Chromium: {error}")
    return str(shutil.which("chromium"))


@pytest.fixture(scope="session")
def page_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LiveKit's script for browsers, where the API serves it from."""
    try:
        return room_script.ensure(print, tmp_path_factory.mktemp("script") / "log")
    except SetupError as error:
        pytest.skip(f"LiveKit's script cannot be had: {error}")


@pytest.fixture(scope="session")
def tabs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What drives the tabs, with its packages, by the machine's Node or the one that video is set up with."""
    log = tmp_path_factory.mktemp("node") / "log"
    try:
        folder = video_tools.program("npm", Path.exists, print, log).parent
    except SetupError as error:
        pytest.skip(f"the tabs are driven by Node: {error}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", os.pathsep.join((os.environ["PATH"], str(folder))))
        yield install(NODE)


@pytest.fixture
def video(seeded_url: str, livekit_program: Path, page_script: Path, tmp_path: Path) -> Iterator[Video]:
    """LiveKit and the API, each knowing the other."""
    port = ports.any_free()
    origin = f"http://{ports.LOOPBACK}:{port}"
    with livekit.ephemeral(tmp_path, livekit_program, origin + livekit.WEBHOOK) as server:
        told = {"livekit_url": server.url, "livekit_key": server.key, "livekit_key_name": server.key_name}
        documents = tmp_path / "documents"
        documents.mkdir()
        settings = settings_for(seeded_url).model_copy(update={**told, "documents_store": str(documents)})
        with served(create_app(settings), port):
            yield Video(origin, server, connected(seeded_url))
