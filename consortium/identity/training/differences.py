"""What another model would change: its weights beside those in force, and the pairs it judges otherwise."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from consortium.identity.batch.candidates import Blocks
from consortium.identity.matching import FIELDS, Comparable, Model, blocks
from consortium.identity.matching.blocking import hashed
from consortium.identity.matching.judging import judge


@dataclass(frozen=True, slots=True)
class Weight:
    """What a level weighs, log2, in force and in the new model."""

    field: str
    level: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Differences:
    """Two models side by side."""

    before: str
    """Versions."""
    after: str
    prior: Weight
    weights: tuple[Weight, ...]
    compared: int
    """Pairs of the sample that both judged."""
    moved: Mapping[str, int]
    """Of them, those that are judged otherwise: `automatic to review` and so on."""

    def line(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def differences(sample: Sequence[Comparable], before: Model, after: Model) -> Differences:
    """Return what would change if `after` were in force, seen on a sample."""
    moved: Counter[str] = Counter()
    compared = 0
    with tempfile.TemporaryDirectory(prefix="yilian-models-") as folder, Blocks(Path(folder)) as index:
        index.add((hashed(key), place) for place, one in enumerate(sample) for key in blocks(one))
        for left, right in index.pairs(before.block_limit):
            compared += len(left)
            for one, other in zip(left.tolist(), right.tolist(), strict=True):
                was = judge(sample[one], sample[other], before).band
                now = judge(sample[one], sample[other], after).band
                if was != now:
                    moved[f"{was} to {now}"] += 1
    weights = tuple(
        Weight(field, level, round(before.fields[field][level].weight, 2), round(at.weight, 2))
        for field in FIELDS
        for level, at in after.fields[field].items()
    )
    prior = Weight("prior", "", round(before.prior_weight, 2), round(after.prior_weight, 2))
    return Differences(before.version, after.version, prior, weights, compared, dict(sorted(moved.items())))
