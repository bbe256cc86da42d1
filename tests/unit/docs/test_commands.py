"""The commands of the task pages are commands: their own tests run them, which takes a whole consortium."""

from __future__ import annotations

import shlex

import pytest

from runtime import cli
from tests.e2e.test_documentation import BLOCK, PAGES

LINES = [
    pytest.param(line.strip(), id=f"{page.stem}: {line.strip()}")
    for page in PAGES
    for block in BLOCK.findall(page.read_text(encoding="utf-8"))
    for line in block.splitlines()
    if line.strip()
]


@pytest.mark.parametrize("line", LINES)
def test_a_command_of_a_page_is_one(line: str) -> None:
    program, verb, *rest = shlex.split(line, comments=True)
    assert program == "./yilian"
    assert verb in cli.VERBS
    if not hasattr(cli._verb(verb), "passed_on"):
        cli.parser().parse_args([verb, *rest])
