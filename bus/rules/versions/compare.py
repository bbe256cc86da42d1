"""What differs between two sets, file by file."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from bus.rules.versions.model import Files


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that is not the same in both."""

    path: str
    change: Literal["added", "removed", "changed"]
    diff: str
    """Unified; empty where a side is no text."""


def compare(before: Files, after: Files) -> list[FileChange]:
    """Return the files that differ, in the order of their paths."""
    return [
        _change(path, before.get(path), after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]


def _change(path: str, before: bytes | None, after: bytes | None) -> FileChange:
    lines = _lines(before), _lines(after)
    diff = ""
    if lines[0] is not None and lines[1] is not None:
        names = (
            "/dev/null" if before is None else f"a/{path}",
            "/dev/null" if after is None else f"b/{path}",
        )
        diff = "\n".join(difflib.unified_diff(lines[0], lines[1], *names, lineterm=""))
    return FileChange(path, "added" if before is None else "removed" if after is None else "changed", diff)


def _lines(content: bytes | None) -> list[str] | None:
    try:
        return [] if content is None else content.decode().splitlines()
    except UnicodeDecodeError:
        return None
