"""Characters that are written for one another in names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simulators.population.drawing import load


def _others(groups: Sequence[str]) -> Mapping[str, str]:
    """Return for every character those it may be taken for."""
    found: dict[str, str] = {}
    for group in " ".join(groups).split():
        for character in group:
            found[character] = found.get(character, "") + group.replace(character, "")
    return found


_DATA = load("confusable.yaml")
IN_SOUND = _others(_DATA["sound"])
"""Character to those that sound the same, or nearly."""
IN_SHAPE = _others(_DATA["shape"])
TRADITIONAL = {ord(pair[0]): pair[1] for pair in " ".join(_DATA["traditional"]).split()}
"""For `str.translate`."""
