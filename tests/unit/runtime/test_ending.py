"""A process that used Temporal's client ends with its exit code and all it said, and tears nothing down."""

from __future__ import annotations

import os
import subprocess
import sys
from subprocess import PIPE

import pytest

from runtime.ending import CLIENT, READER_LEFT
from runtime.settings import CHECKOUT

USED = f"sys.modules[{CLIENT!r}] = sys"
PROGRAM = """
import atexit, sys
from runtime.ending import end
atexit.register(print, "torn down")
{used}
print("said", end="")
end({code})
"""


def started(used: str, code: int = 3) -> subprocess.Popen[str]:
    program = PROGRAM.format(used=used, code=code)
    command = [sys.executable, "-c", program]
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    return subprocess.Popen(
        command, cwd=CHECKOUT, env=buffered, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True
    )


@pytest.mark.parametrize(("used", "said"), [(USED, "said"), ("", "saidtorn down\n")])
def test_it_ends_with_its_code_and_what_it_said(used: str, said: str) -> None:
    one = started(used)
    assert one.communicate(timeout=60) == (said, "")
    assert one.returncode == 3


def test_a_reader_that_went_away_is_told_by_the_code() -> None:
    one = started(f"{USED}; input()")
    assert one.stdout
    one.stdout.close()
    assert one.stdin
    one.stdin.write("go on\n")
    one.stdin.close()
    assert one.stderr
    assert one.stderr.read() == ""
    assert one.wait(timeout=60) == READER_LEFT
    one.stderr.close()
