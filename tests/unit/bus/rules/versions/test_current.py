"""What is read of the deployed set: what lies where it is looked for, once for each set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from bus.rules.versions import store
from bus.rules.versions.current import Current
from bus.rules.versions.destinations import CurrentDestinations
from bus.rules.versions.systems import CurrentSystems

NOWHERE = cast("sa.Connection", None)


class Sets:
    """Stands in for the tables of sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.active: str | None = None
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        monkeypatch.setattr(store, "active_digest", lambda _connection: self.active)
        monkeypatch.setattr(store, "files", self.files)

    def files(self, _connection: sa.Connection, digest: str, below: tuple[str, ...]) -> dict[str, bytes]:
        self.asked.append((digest, below))
        return {}


@pytest.mark.parametrize(
    ("current", "below"),
    [(CurrentSystems, ("campuses/",)), (CurrentDestinations, ("destinations/", "campuses/"))],
)
def test_no_other_file_of_a_set_is_read(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    current: Callable[[Path], Current[Any]],
    below: tuple[str, ...],
) -> None:
    sets = Sets(monkeypatch)
    known = current(tmp_path)
    assert known.get(NOWHERE) == {}
    for digest in ("one", "one", "another"):
        sets.active = digest
        known.get(NOWHERE)
    assert sets.asked == [("one", below), ("another", below)]
