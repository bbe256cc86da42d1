"""The systems that the deployed rule set declares, not the files of the checkout."""

from __future__ import annotations

from pathlib import Path

from bus.rules.systems import SystemsFile, load_declared
from bus.rules.versions.current import Current

BELOW = ("campuses/",)
"""Where they lie in a set."""


class CurrentSystems(Current[SystemsFile]):
    """The systems declared by the deployed set, by campus; a file that has a mistake is not deployed."""

    def __init__(self, rules_dir: Path) -> None:
        """`rules_dir`: where they are before the first set is deployed."""
        super().__init__(rules_dir, BELOW, lambda folder: load_declared(folder).by_facility)
