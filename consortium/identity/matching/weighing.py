"""What the levels of a pair weigh under a model, and which values are too common to weigh as much."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp2, log2

from consortium.identity.matching.comparing import Vector
from consortium.identity.matching.model import FIELDS, MISSING, FieldName, Model
from consortium.identity.matching.values import Comparable, Name


@dataclass(frozen=True, slots=True)
class Step:
    """One bar of the waterfall."""

    field: str
    """A field, or `prior`."""
    level: str
    weight: float
    """log2."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a pair weighs."""

    weight: float
    """log2 of the odds that the two are one person."""
    waterfall: tuple[Step, ...]
    """The prior, then every field in the order of `FIELDS`; the weights add up."""

    @property
    def probability(self) -> float:
        """The same as a probability."""
        odds = exp2(min(max(self.weight, -1000.0), 1000.0))
        return odds / (1 + odds)


def weigh(vector: Vector, left: Comparable, right: Comparable, model: Model) -> Weighed:
    """Return what the levels weigh, with the frequency of the agreeing name and phone."""
    steps = [Step("prior", "", model.prior_weight)]
    for field in FIELDS:
        level = vector[field]
        weight = 0.0
        if level != MISSING:
            weight = model.fields[field][level].weight
            weight += _rarity(field, level, left, right, model)
        steps.append(Step(field, level, weight))
    return Weighed(sum(step.weight for step in steps), tuple(steps))


def frequency(name: Name, model: Model) -> float:
    """Return the share of source patients who bear a name: as counted, else its surname's times its given
    name's.
    """
    counted = model.frequencies["name"].get(name.text)
    if counted is not None:
        return counted
    surnames, given = model.frequencies["surname"], model.frequencies["given"]
    product = surnames.get(name.surname, surnames[""]) * given.get(name.given, given[""])
    return max(product, model.frequencies["name"][""])


def _rarity(field: FieldName, level: str, left: Comparable, right: Comparable, model: Model) -> float:
    """Return what the frequency of the value adds: `u` of the level is that of a value of average frequency,
    and a common one agrees by chance more often.
    """
    if level != "exact":
        return 0.0
    u = model.fields[field]["exact"].u
    if field == "name" and left.name is not None and right.name is not None:
        return log2(u / max(frequency(left.name, model), frequency(right.name, model)))
    if field == "phone":
        listed = model.frequencies["phone"]
        return log2(u / min(listed.get(phone, listed[""]) for phone in left.phones & right.phones))
    return 0.0
