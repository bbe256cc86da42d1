"""How right a linkage is: pairs, people, and the false merges that hurt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and their harmonic mean."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    def line(self) -> dict[str, float]:
        """Return it rounded, for a report."""
        return {name: round(v, 5) for name, v in (asdict(self) | {"f1": self.f1}).items()}


@dataclass(frozen=True, slots=True)
class Linkage:
    """A linkage beside the truth."""

    pairs: Score
    """Of the pairs that were linked directly."""
    linked: Score
    """Of the pairs that stand in one cluster."""
    clusters: Score
    """Of the clusters: right are those that hold all records of one person and no other."""
    false_merges: int
    """How many people are too few, because their records stand in another's cluster."""
    people: int

    @property
    def false_merges_per_100_000(self) -> float:
        """False merges for each 100,000 people."""
        return self.false_merges / self.people * 100_000

    def line(self) -> dict[str, Any]:
        """Return it for a report."""
        return {
            "pairs": self.pairs.line(),
            "linked": self.linked.line(),
            "clusters": self.clusters.line(),
            "false_merges": self.false_merges,
            "false_merges_per_100_000": round(self.false_merges_per_100_000, 2),
        }


def judged(truth: Sequence[int], links: Iterable[Pair], clusters: Sequence[int] | None = None) -> Linkage:
    """Hold links between records, and the clusters that they make unless given, against the truth."""
    found = set(links)
    cluster = clusters if clusters is not None else connected(len(truth), found)
    true_sizes, sizes = Counter(truth), Counter(cluster)
    together = Counter(zip(cluster, truth, strict=True))
    true_pairs, linked = _pairs(true_sizes.values()), _pairs(sizes.values())
    right = sum(truth[a] == truth[b] for a, b in found)
    right_linked = _pairs(together.values())
    whole = sum(n == sizes[c] == true_sizes[t] for (c, t), n in together.items())
    return Linkage(
        _score(right, len(found), true_pairs),
        _score(right_linked, linked, true_pairs),
        _score(whole, len(sizes), len(true_sizes)),
        len(together) - len(sizes),
        len(true_sizes),
    )


def connected(count: int, links: Iterable[Pair]) -> list[int]:
    """Return for each of `count` records the smallest one that links lead to."""
    leader = list(range(count))

    def find(one: int) -> int:
        while leader[one] != one:
            leader[one] = leader[leader[one]]
            one = leader[one]
        return one

    for left, right in links:
        one, other = find(left), find(right)
        leader[max(one, other)] = min(one, other)
    return [find(one) for one in range(count)]


def lowest_ratio(ours: Mapping[str, Linkage], control: Mapping[str, Linkage]) -> float:
    """Return the lowest of our F1 to the control's: of pairs and clusters, of every data set."""
    return min(
        one.f1 / max(other.f1, 1e-9)
        for name, linkage in ours.items()
        for one, other in (
            (linkage.pairs, control[name].pairs),
            (linkage.clusters, control[name].clusters),
        )
    )


def _pairs(sizes: Iterable[int]) -> int:
    return sum(n * (n - 1) // 2 for n in sizes)


def _score(right: int, found: int, true: int) -> Score:
    return Score(right / found if found else 1.0, right / true if true else 1.0)
