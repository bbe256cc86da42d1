"""The affinity domain among what `yilian rules lint` looks at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bus.rules.marks import Place, RuleError
from consortium.documents.affinity import FILE, AffinityDomainError, load


def mistakes(rules_dir: Path) -> Iterator[RuleError]:
    """Find what is wrong with the affinity domain; a folder without one is none of a consortium."""
    if not (rules_dir / FILE).exists():
        return
    try:
        load(rules_dir)
    except AffinityDomainError as error:
        yield RuleError(FILE.as_posix(), Place(1), str(error), "affinity-domain")
