"""docs/conformance.md says of each line of the checklist which tests show it, or why it is not built."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

PAGE = CHECKOUT / "docs" / "conformance.md"
LINES = 41
"""How many the checklist has."""
_LINE = re.compile(r"(\d+)\. (\S.*)")
_TEST = re.compile(r" {4}- `(tests/[^`]+)`")
_REASON = re.compile(r" {4}- \*\*Not built:\*\* (\S.*)")


@dataclass
class Line:
    """A line of the checklist as the page has it."""

    number: int
    tests: list[str] = field(default_factory=list)
    reason: str = ""


def lines_of(page: str) -> list[Line]:
    """Read the numbered lines with what is below each. Raises ValueError where that is neither of the two."""
    found: list[Line] = []
    for text in page.splitlines():
        if line := _LINE.fullmatch(text):
            found.append(Line(int(line[1])))
        elif test := _TEST.fullmatch(text):
            found[-1].tests.append(test[1])
        elif reason := _REASON.fullmatch(text):
            found[-1].reason = reason[1]
        elif text.startswith("  "):
            raise ValueError(f"neither a test nor a reason: {text}")
    return found


def wrong(page: str, root: Path, count: int = LINES) -> list[str]:
    """Say what does not hold on a page."""
    lines = lines_of(page)
    return [*_misnumbered(lines, count), *(said for line in lines for said in _unfounded(line, root))]


def _misnumbered(lines: list[Line], count: int) -> Iterator[str]:
    numbers = [line.number for line in lines]
    if numbers != list(range(1, count + 1)):
        yield f"the lines are not 1 to {count} in order: {numbers}"


def _unfounded(line: Line, root: Path) -> Iterator[str]:
    if not line.tests and not line.reason:
        yield f"line {line.number} has neither tests nor a reason"
    for test in line.tests:
        if not exists(test, root):
            yield f"line {line.number}: there is no {test}"


def exists(test: str, root: Path) -> bool:
    """Say whether `path::function`, `path::Class::method`, or `path::Class` with any test in it, is there."""
    path, _, name = test.partition("::")
    return bool(name) and (root / path).is_file() and name in _names(root / path)


@cache
def _names(path: Path) -> frozenset[str]:
    return frozenset(_collected(ast.parse(path.read_text(encoding="utf-8"))))


def _collected(tree: ast.Module | ast.ClassDef, of: str = "") -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield of + node.name
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            inside = list(_collected(node, f"{node.name}::"))
            yield from inside
            if inside:
                yield node.name


def test_every_line_is_shown_by_tests_that_exist_or_says_why_not() -> None:
    assert wrong(PAGE.read_text(encoding="utf-8"), CHECKOUT) == []


HERE = "tests/unit/docs/test_conformance.py"
SHOWN = f"    - `{HERE}::test_what_does_not_hold_is_found`"


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (f"1. a\n{SHOWN}\n2. b\n    - **Not built:** later", []),
        (f"1. a\n{SHOWN}\n3. b\n{SHOWN}", ["the lines are not 1 to 2 in order: [1, 3]"]),
        (f"1. a\n{SHOWN}", ["the lines are not 1 to 2 in order: [1]"]),
        (f"1. a\n{SHOWN}\n2. b", ["line 2 has neither tests nor a reason"]),
        (f"1. a\n{SHOWN}\n2. b\n    - `{HERE}::test_gone`", [f"line 2: there is no {HERE}::test_gone"]),
        (f"1. a\n{SHOWN}\n2. b\n    - `{HERE}::lines_of`", [f"line 2: there is no {HERE}::lines_of"]),
        (f"1. a\n{SHOWN}\n2. b\n    - `{HERE}::Line`", [f"line 2: there is no {HERE}::Line"]),
        (f"1. a\n{SHOWN}\n2. b\n    - `{HERE}`", [f"line 2: there is no {HERE}"]),
        (
            f"1. a\n{SHOWN}\n2. b\n    - `tests/gone.py::test_a`",
            ["line 2: there is no tests/gone.py::test_a"],
        ),
    ],
)
def test_what_does_not_hold_is_found(page: str, said: list[str]) -> None:
    assert wrong(page, CHECKOUT, 2) == said


@pytest.mark.parametrize(
    "below", ["    - tests/a.py::test_b", "    - **Not built:**", "  - `tests/a.py::test_b`"]
)
def test_what_is_neither_a_test_nor_a_reason_is_no_page(below: str) -> None:
    with pytest.raises(ValueError, match="neither a test nor a reason"):
        lines_of(f"1. a\n{below}")
