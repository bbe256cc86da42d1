"""What follows from the weight of a pair: a link, a look by a person, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from consortium.identity.matching.comparing import Vector, compare
from consortium.identity.matching.model import MISSING, Model
from consortium.identity.matching.values import Comparable
from consortium.identity.matching.weighing import Weighed, weigh

Band = Literal["automatic", "review", "none"]
Reason = Literal["probable", "card_conflict", "twin", "placeholder", "overlay", "verdict_conflict"]
"""Why a person should look at a pair; see docs/identity.md."""

SAME_NAME = frozenset({"exact", "former", "homophone"})
OTHER_NAME = frozenset({"near", "surname", "differs"})
NO_NAME = frozenset({"surname", "differs", MISSING})
SAME_PLACE = frozenset({"exact", "former", "near"})


@dataclass(frozen=True, slots=True)
class Judged:
    """What follows, why a person should look, and the evidence."""

    band: Band
    reason: Reason
    vector: Vector
    weighed: Weighed


def judge(left: Comparable, right: Comparable, model: Model) -> Judged:
    """Return what follows from comparing two source patients, neither of whom has a manual verdict."""
    vector = compare(left, right)
    weighed = weigh(vector, left, right, model)
    if left.vip or right.vip or household(vector):
        return Judged("none", "probable", vector, weighed)
    if left.stand_in or right.stand_in:
        return Judged(_at_most_review(weighed, model), "placeholder", vector, weighed)
    if twins(vector):
        certain = "differs" in (vector["sex"], vector["card"])
        return Judged("none" if certain else _at_most_review(weighed, model), "twin", vector, weighed)
    if vector["card"] in ("exact", "doubtful") and vector["name"] not in SAME_NAME:
        return Judged(_at_most_review(weighed, model), "card_conflict", vector, weighed)
    if weighed.weight >= model.automatic and _supported(vector):
        return Judged("automatic", "probable", vector, weighed)
    return Judged(_at_most_review(weighed, model), "probable", vector, weighed)


def household(vector: Vector) -> bool:
    """Whether two have different names and were born on different days: at one address and telephone, with a
    card that one of them borrowed, they are a family, and nobody need look.
    """
    if vector["birth_date"] != "differs":
        return False
    other_card = vector["card"] in ("differs", MISSING)
    return vector["name"] in NO_NAME or (vector["name"] == "near" and other_card)


def twins(vector: Vector) -> bool:
    """Whether two may be twins: born on one day, at one address or telephone, by other given names."""
    return (
        vector["birth_date"] == "exact"
        and vector["name"] in OTHER_NAME
        and vector["card"] not in ("exact", "near", "former")
        and (vector["phone"] in SAME_PLACE or vector["address"] in SAME_PLACE)
    )


def apart(left: Comparable, right: Comparable) -> bool:
    """Whether two cannot stand in one person only because both are like a third: their valid cards differ,
    and their date of birth, sex or name too.
    """
    vector = compare(left, right)
    if vector["card"] != "differs":
        return False
    return "differs" in (vector["birth_date"], vector["sex"]) or vector["name"] in OTHER_NAME


def _supported(vector: Vector) -> bool:
    """Whether the name agrees, and at most one of sex, birth date and card contradicts: none, when the name
    only sounds alike or was another before.
    """
    if vector["name"] not in SAME_NAME:
        return False
    against = sum(vector[field] == "differs" for field in ("sex", "birth_date", "card"))
    return against <= (1 if vector["name"] == "exact" else 0)


def _at_most_review(weighed: Weighed, model: Model) -> Band:
    return "review" if weighed.weight >= model.review else "none"
