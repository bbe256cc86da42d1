"""What is wrong with the file of mutual recognition, for `rules lint` and `rules deploy`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bus.rules.marks import Place, RuleError
from consortium.recognition.catalogue import PATH, CatalogueError, load


def mistakes(rules_dir: Path) -> Iterator[RuleError]:
    """Find what is wrong with the file; a folder without one recognises nothing."""
    if not (rules_dir / PATH).exists():
        return
    try:
        load(rules_dir)
    except CatalogueError as error:
        yield RuleError(PATH.as_posix(), Place(1), str(error), "mutual-recognition")
