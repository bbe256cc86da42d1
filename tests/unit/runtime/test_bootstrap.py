"""The launcher's first half: what it makes, what it skips, and what it says when it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime import bootstrap
from runtime.settings import CHECKOUT


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, place in {"HOME": "", "BOOT": "boot", "VENV": "venv", "LOG": "setup.log"}.items():
        monkeypatch.setattr(bootstrap, name, tmp_path / place)
    return tmp_path


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The steps that would be run; each succeeds."""
    told: list[list[str]] = []

    def note(_what: str, command: list[Any], *_rest: Any) -> None:
        told.append([str(word) for word in command])

    monkeypatch.setattr(bootstrap, "run", note)
    monkeypatch.setattr(bootstrap, "see_to_uv", lambda: Path("uv"))
    monkeypatch.setattr(bootstrap, "uv_environment", dict)
    return told


def working_environment(places: Path) -> None:
    (places / "venv" / "bin").mkdir(parents=True)
    (places / "venv" / "bin" / "python").symlink_to(sys.executable)


def test_a_python_without_venv_tells_an_ordinary_user_exactly_what_to_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "ensurepip" else object())
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(bootstrap.BootstrapError) as told:
        bootstrap.see_to_venv()
    assert "apt-get update && apt-get install -y python3.11-venv" in told.value.do


def test_a_python_without_venv_is_given_it_when_root(
    monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "venv" else object())
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    bootstrap.see_to_venv()
    assert commands[0][-1] == "update"
    assert commands[1][-1] == "python3.11-venv"


def test_the_first_call_makes_the_environment_with_hashes_and_the_second_does_nothing(
    places: Path, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "works", lambda: False)
    (places / "venv").mkdir()
    bootstrap.see_to_environment(tests=False)
    assert [c[1] for c in commands] == ["venv", "pip"]
    assert "--require-hashes" in commands[1]
    monkeypatch.setattr(bootstrap, "works", lambda: True)
    commands.clear()
    bootstrap.see_to_environment(tests=False)
    assert commands == []


def test_the_test_tools_are_added_to_the_environment_that_is_there(
    places: Path, commands: list[list[str]]
) -> None:
    working_environment(places)
    bootstrap.see_to_environment(tests=False)
    commands.clear()
    bootstrap.see_to_environment(tests=True)
    assert [c[-1] for c in commands] == [str(CHECKOUT / "requirements" / "test.lock")]
    assert not any("--clear" in c for c in commands)


def test_a_step_that_was_interrupted_is_done_again(
    places: Path, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    working_environment(places)

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bootstrap, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            bootstrap.see_to_environment(tests=False)
    bootstrap.see_to_environment(tests=False)
    assert len(commands) == 1


def test_a_changed_lock_file_is_installed(places: Path, commands: list[list[str]]) -> None:
    working_environment(places)
    (places / "venv" / ".run.stamp").write_text("of an older lock file")
    bootstrap.see_to_environment(tests=False)
    assert [c[-1] for c in commands] == [str(CHECKOUT / "requirements" / "run.lock")]


def test_a_failing_step_says_what_failed_and_keeps_its_output(
    places: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(bootstrap.BootstrapError, match="trying: failed with exit code 3") as told:
        bootstrap.run("trying", [sys.executable, "-c", "print('没有网络'); raise SystemExit(3)"], "do this")
    assert told.value.do == "do this"
    assert "没有网络" in (places / "setup.log").read_text()
    assert "没有网络" in capfd.readouterr().err


def test_every_lock_file_names_hashes_and_no_index() -> None:
    for lock in ("boot", "run", "test"):
        text = (CHECKOUT / "requirements" / f"{lock}.lock").read_text()
        assert "--hash=sha256:" in text
        assert "index-url" not in text


def test_the_launcher_is_plain_shell_and_needs_nothing_but_the_standard_library() -> None:
    assert subprocess.run(["/bin/sh", "-n", CHECKOUT / "yilian"], check=False).returncode == 0
    bare = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import runpy; runpy.run_path({str(CHECKOUT / 'runtime/bootstrap.py')!r})",
    ]
    assert subprocess.run(bare, capture_output=True, check=False).returncode == 0


def test_an_interrupted_step_is_ended_and_not_left_running(
    monkeypatch: pytest.MonkeyPatch, places: Path
) -> None:
    ended: list[int] = []
    popen = subprocess.Popen

    class Watched(popen[bytes]):  # type: ignore[misc,valid-type] # a class in a variable
        def terminate(self) -> None:
            super().terminate()
            ended.append(self.pid)

    def interrupted(_text: str) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("subprocess.Popen", Watched)
    monkeypatch.setattr("sys.stderr.write", interrupted)
    monkeypatch.setattr(bootstrap, "say", lambda _text: None)
    script = "import time; print('begun', flush=True); time.sleep(600)"
    with pytest.raises(KeyboardInterrupt):
        bootstrap.run("trying", [sys.executable, "-c", script], "do this")
    assert len(ended) == 1
