"""What is wrong with the files of working time, for `rules lint` and `rules deploy`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bus.rules.marks import Place, RuleError
from consortium.scheduling import calendar_file


def mistakes(rules_dir: Path) -> Iterator[RuleError]:
    """Find what is wrong with the calendars; a folder without them reckons no working time."""
    for path, text in calendar_file.mistakes(rules_dir).items():
        yield RuleError(path.as_posix(), Place(1), text, "working-calendar")
