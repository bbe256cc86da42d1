"""One consortium for all end-to-end tests of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.consortium import Consortium


@pytest.fixture(scope="session")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    """The sample consortium, up, its day played; down again afterwards, with nothing left behind.

    `YILIAN_TEST_E2E_HOME` names one that is up already, and stays.
    """
    if running := os.environ.get("YILIAN_TEST_E2E_HOME"):
        yield Consortium(Path(running))
        return
    system = Consortium(tmp_path_factory.mktemp("yilian"))
    # Video has tests of its own; building LiveKit here would take minutes of CPU from the others.
    (system.home / "settings.toml").write_text('video = "off"\n', encoding="utf-8")
    system.must("up", timeout=1500)
    yield system
    system.must("down", "--purge", "--yes", timeout=180)
