"""The model of probabilistic matching (Fellegi and Sunter 1969): how much each agreement says.

For every field that is compared, a pair falls on one level. `m` is the probability of that level among pairs
of one person, `u` among pairs of two; log2(m/u) is what the level weighs. The weight of a pair is the prior's
weight and the sum over its fields: the log2 of the odds that the two are one person, as Splink's
`match_weight`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import log2
from types import MappingProxyType
from typing import Literal

FieldName = Literal["name", "sex", "birth_date", "card", "phone", "address"]
FIELDS: tuple[FieldName, ...] = ("name", "sex", "birth_date", "card", "phone", "address")

MISSING = "missing"
"""The level of a field that one side does not have: it weighs nothing, and no model lists it."""

LEVELS: Mapping[FieldName, tuple[str, ...]] = MappingProxyType(
    {
        "name": ("exact", "former", "homophone", "near", "surname", "differs"),
        "sex": ("exact", "differs"),
        "birth_date": ("exact", "former", "typo", "year", "differs"),
        "card": ("exact", "former", "near", "doubtful", "differs"),
        "phone": ("exact", "former", "differs"),
        "address": ("exact", "former", "near", "area", "differs"),
    }
)
"""The levels of every field, best first; a pair is on the first that fits. What each means is said where it
is compared: `consortium.identity.matching.compare`.
"""


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a field."""

    m: float
    """Probability among pairs of one person, both sides known."""
    u: float
    """Probability among pairs of two people, both sides known."""

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        if not (0 < self.m <= 1 and 0 < self.u <= 1):
            raise ValueError(f"m and u are probabilities above 0 and up to 1, not {self.m} and {self.u}")

    @property
    def weight(self) -> float:
        """What the level says, log2."""
        return log2(self.m / self.u)


@dataclass(frozen=True)
class Model:
    """Everything that scoring reads; one file."""

    version: str
    prior: float
    """Probability that two source patients taken at random are one person."""
    automatic: float
    """Weight (log2 odds) from which a pair is linked without a person's look."""
    review: float
    """Weight from which a person should look; below, the pair is nothing."""
    fields: Mapping[FieldName, Mapping[str, Level]]
    """For every field all its `LEVELS`."""
    frequencies: Mapping[str, Mapping[str, float]]
    """How frequent values are, by `surname`, `given` (characters folded, see `chinese.fold`), `name` (whole,
    outranks the product of the other two) and `phone`. A share of all source patients; "" is of what is not
    listed.
    """
    block_limit: int = 200
    """A block with more source patients than this is not searched, but counted."""
    numbers: int = 20_000_000
    """How many source patients the prior is for."""

    def __post_init__(self) -> None:
        """Refuse a model that lacks a level, or whose thresholds cross."""
        if not 0 < self.prior < 1:
            raise ValueError("the prior is a probability between 0 and 1")
        if self.review > self.automatic:
            raise ValueError("the threshold for review is above the one for automatic links")
        for field in FIELDS:
            if set(self.fields.get(field, ())) != set(LEVELS[field]):
                raise ValueError(f"the model must give m and u for the levels of {field}: {LEVELS[field]}")
        for table in ("surname", "given", "name", "phone"):
            if "" not in self.frequencies.get(table, ()):
                raise ValueError(f"the frequencies of {table} must be there, with one of what is not listed")

    def for_numbers(self, numbers: int) -> Model:
        """Return the model for so many source patients: each has as many others of its person, and the fewer
        there are to choose from, the more does an agreement say. All else stays.
        """
        if numbers < 1:
            raise ValueError("a model is for one source patient or more")
        prior = min(self.prior * self.numbers / numbers, 0.5)
        return replace(self, prior=prior, numbers=numbers, version=f"{self.version}/{numbers}")

    @cached_property
    def prior_weight(self) -> float:
        """The odds before anything is compared, log2."""
        return log2(self.prior / (1 - self.prior))
