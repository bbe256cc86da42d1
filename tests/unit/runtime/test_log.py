"""Logs: rotated by size while the service writes, with nothing lost and a number kept."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from runtime import log
from runtime.verbs.logs import appended


def test_a_small_log_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "api.log"
    file.write_text("a line\n")
    assert not log.rotate(file, limit=100)
    assert not log.rotate(tmp_path / "absent.log", limit=100)
    assert [p.name for p in tmp_path.iterdir()] == ["api.log"]


def test_a_service_goes_on_writing_to_the_same_open_file_after_a_rotation(tmp_path: Path) -> None:
    file = tmp_path / "api.log"
    with file.open("ab", buffering=0) as service:
        service.write("患者 before\n".encode())
        assert log.rotate(file, limit=10)
        service.write(b"after\n")
    assert file.read_text() == "after\n"
    assert log.numbered(file, 1).read_text() == "患者 before\n"


def test_the_newest_rotations_are_kept_and_the_oldest_goes(tmp_path: Path) -> None:
    file = tmp_path / "api.log"
    for number in range(5):
        file.write_text(f"rotation {number}\n")
        assert log.rotate(file, limit=1, kept=3)
    kept = [log.numbered(file, n).read_text() for n in (1, 2, 3)]
    assert kept == ["rotation 4\n", "rotation 3\n", "rotation 2\n"]
    assert not log.numbered(file, 4).exists()


def test_a_rotated_log_is_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "api.log"
    file.write_text("a line\n")
    log.rotate(file, limit=1)
    assert log.numbered(file, 1).stat().st_mode & 0o777 == 0o600


def test_the_last_lines_of_a_log_are_given(tmp_path: Path) -> None:
    file = tmp_path / "api.log"
    file.write_text("".join(f"{n} 行\n" for n in range(10)))
    assert log.last_lines(file, 2) == ["8 行", "9 行"]
    assert log.last_lines(tmp_path / "absent.log", 2) == []


def test_following_a_log_goes_on_after_it_was_emptied(tmp_path: Path) -> None:
    file = tmp_path / "api.log"
    file.write_text("seen before\nnew\n")
    lines = appended(file, len("seen before\n"), pause=0)
    assert next(lines) == "new\n"
    file.write_text("x\n")
    assert list(islice(lines, 1)) == ["x\n"]


@pytest.mark.parametrize("names", [[], ["api", "postgres"]])
def test_the_logs_are_listed_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    monkeypatch.setenv("YILIAN_HOME", str(tmp_path))
    (tmp_path / "logs").mkdir()
    for name in names:
        (tmp_path / "logs" / f"{name}.log").write_text("a line\n")
        (tmp_path / "logs" / f"{name}.log.1").write_text("an older line\n")
    assert list(log.names()) == names
