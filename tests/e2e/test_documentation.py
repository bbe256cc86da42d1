"""The commands of the task pages do what the pages say: each `sh` block is run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.e2e.consortium import CHECKOUT, Consortium

BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
PAGES = sorted(p for p in (CHECKOUT / "docs").glob("*.md") if BLOCK.search(p.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_run(consortium: Consortium, page: Path) -> None:
    lines = [
        line.strip()
        for block in BLOCK.findall(page.read_text(encoding="utf-8"))
        for line in block.splitlines()
    ]
    for line in filter(None, lines):
        words = shlex.split(line, comments=True)
        assert words[0] == "./yilian", line
        consortium.must(*words[1:])


def test_every_link_of_the_pages_leads_somewhere() -> None:
    for page in [CHECKOUT / "README.md", *(CHECKOUT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
