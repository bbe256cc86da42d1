"""What is missing is installed where we may, and named with its command where we may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.failure import SetupError
from runtime.services import install

PROGRAMS = {"sh": "dash", "no-such-javac": "a-jdk", "no-such-java": "a-jdk", "no-such-mvn": "a-maven"}


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """What apt-get was asked for, without asking it."""
    asked: list[list[str]] = []
    monkeypatch.setenv("YILIAN_HOME", str(tmp_path))
    monkeypatch.setattr(install, "apt", lambda arguments, _log: asked.append(arguments))
    monkeypatch.setattr(install, "_SERVICES", {})
    return asked


def test_what_is_there_is_left(called: list[list[str]]) -> None:
    install.ensure({"sh": "dash"}, print)
    assert called == []


def test_what_is_missing_is_installed_once(called: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "may_install", lambda: True)
    install.ensure(PROGRAMS, print)
    assert [arguments[0] for arguments in called] == ["update", "install"]
    assert called[1][-2:] == ["a-jdk", "a-maven"]


def test_where_we_may_not_the_command_is_named(
    called: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "may_install", lambda: False)
    with pytest.raises(SetupError, match="no-such-javac, no-such-java, no-such-mvn not found") as error:
        install.ensure(PROGRAMS, print)
    assert error.value.do == "as root: apt-get install a-jdk a-maven"
    assert called == []
