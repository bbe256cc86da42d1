"""Drawing by weight, and the data files."""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import yaml


class Draw:
    """Draws from some things by weight, quickly."""

    def __init__(self, things: Sequence[str], weights: Sequence[float]) -> None:
        """Keep the things with their weights' running sum."""
        self._things = things
        self._sums = list(accumulate(weights))

    def __call__(self, rng: random.Random) -> str:
        """Return one of them."""
        return self._things[bisect(self._sums, rng.random() * self._sums[-1])]


def load(name: str) -> dict[str, Any]:
    """Return one of the data files beside this module."""
    loaded: dict[str, Any] = yaml.safe_load((Path(__file__).parent / name).read_text(encoding="utf-8"))
    return loaded
