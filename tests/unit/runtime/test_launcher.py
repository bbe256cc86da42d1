"""The launcher: which Python it takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.settings import CHECKOUT


@pytest.fixture
def launcher(tmp_path: Path) -> Path:
    """One that says which Python it took."""
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime" / "bootstrap.py").write_text("import sys; print(sys.executable)")
    return Path(shutil.copy(CHECKOUT / "yilian", tmp_path))


def run(launcher: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [launcher, "status"],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_takes_the_python_that_it_is_told(launcher: Path) -> None:
    assert run(launcher, YILIAN_PYTHON=sys.executable).stdout.strip() == sys.executable


def test_it_refuses_another_version_by_name(launcher: Path) -> None:
    refused = run(launcher, YILIAN_PYTHON="/bin/false")
    assert refused.returncode == 1
    assert "YILIAN_PYTHON=/bin/false" in refused.stderr


def test_it_finds_one_by_itself(launcher: Path) -> None:
    found = run(launcher)
    assert found.returncode == 0, found.stderr
    assert Path(found.stdout.strip()).exists()
