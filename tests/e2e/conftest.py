"""One consortium for all end-to-end tests of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.consortium import Consortium


@pytest.fixture(scope="session")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    """The sample consortium, up, its day played; down again afterwards, with nothing left behind."""
    system = Consortium(tmp_path_factory.mktemp("yilian"))
    system.must("up", timeout=1500)
    yield system
    system.must("down", "--purge", "--yes", timeout=180)
