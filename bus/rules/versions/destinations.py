"""The destinations of the rules that decide now: what is deployed counts, not the files of the checkout."""

from __future__ import annotations

from pathlib import Path

from bus.rules.destinations import AnyDestination, load_destinations
from bus.rules.versions.current import Current

BELOW = ("destinations/", "campuses/")
"""Where destinations and what they pin lie in a set."""


class CurrentDestinations(Current[AnyDestination]):
    """The destinations that are deployed, by name; of one that has a mistake the delivery process tells."""

    def __init__(self, rules_dir: Path) -> None:
        """`rules_dir`: where they are before the first set is deployed."""
        super().__init__(rules_dir, BELOW, lambda folder: load_destinations(folder).by_name)
