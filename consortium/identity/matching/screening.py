"""Whether a candidate is worth taking apart: most who stand in a block are namesakes, and a few fields tell.

The weight of a pair is a sum, so what the fields looked at say, with the best that the others could say,
bounds it. Whom that bound leaves below the threshold for review is nothing to the other; `judge` would say
the same at ten times the cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from math import log2
from typing import NamedTuple

from consortium.identity.matching.comparing import BY_FIELD
from consortium.identity.matching.model import MISSING, FieldName, Model
from consortium.identity.matching.preparing import name, phones
from consortium.identity.matching.values import Comparable
from consortium.identity.matching.weighing import frequency


class Glance(NamedTuple):
    """What of a stored source patient is looked at first."""

    id: int
    name: str | None
    sex: str | None
    birth_date: date | None
    card: str | None
    """As 18 characters, when valid."""
    id_card: str | None
    """As sent."""
    phone: str | None
    former: bool
    """Whether it said anything else earlier."""


@dataclass(frozen=True)
class Screen:
    """Looks at candidates for one source patient."""

    own: Comparable
    model: Model

    def passes(self, seen: Glance) -> bool:
        """Whether the two may be one person, or a matter for a person's look; False is certain."""
        own = self.own
        if seen.former or self._has_former or (own.card is not None and own.card == seen.card):
            return True
        dated = Comparable(sex=_sex(seen.sex), birth_date=seen.birth_date)
        said = self._weight("sex", dated) + self._weight("birth_date", dated) + self._card(seen)
        bound = self.model.prior_weight + said + self._best["address"]
        if bound + self._best_name + self._best["phone"] < self.model.review:
            return False
        bound += self._weight("phone", Comparable(phones=phones(seen.phone)))
        if bound + self._best_name < self.model.review:
            return False
        return bound + self._named(seen) >= self.model.review

    @cached_property
    def _has_former(self) -> bool:
        own = self.own
        return bool(
            own.former_names
            or own.former_birth_dates
            or own.former_cards
            or own.former_phones
            or own.former_addresses
        )

    @cached_property
    def _best(self) -> dict[FieldName, float]:
        """The most that each field can say for the two."""
        best = {
            field: max(0.0, *(level.weight for name, level in levels.items() if name != "former"))
            for field, levels in self.model.fields.items()
        }
        return best | {"phone": max(best["phone"], self._rarest_phone)}

    @cached_property
    def _rarest_phone(self) -> float:
        listed, exact = self.model.frequencies["phone"], self.model.fields["phone"]["exact"]
        return max(exact.weight + log2(exact.u / share) for share in listed.values())

    @cached_property
    def _best_name(self) -> float:
        """Nobody agrees more with a name than who bears it."""
        levels = self.model.fields["name"]
        others = max(0.0, *(levels[level].weight for level in ("homophone", "near", "surname", "differs")))
        if self.own.name is None:
            return others
        return max(others, self._name_exact)

    @cached_property
    def _name_exact(self) -> float:
        if self.own.name is None:
            return 0.0
        return log2(self.model.fields["name"]["exact"].m / frequency(self.own.name, self.model))

    def _named(self, seen: Glance) -> float:
        level = BY_FIELD["name"](self.own, Comparable(name=name(seen.name)))
        if level == "exact":
            return self._name_exact
        return 0.0 if level == MISSING else self.model.fields["name"][level].weight

    def _card(self, seen: Glance) -> float:
        """Two valid cards differ; otherwise one may be a slip of the other."""
        if self.own.card_as_sent is None or seen.id_card is None:
            return 0.0
        if self.own.card is not None and seen.card is not None:
            return self.model.fields["card"]["differs"].weight
        return self._best["card"]

    def _weight(self, field: FieldName, seen: Comparable) -> float:
        level = BY_FIELD[field](self.own, seen)
        if level == "exact" and field == "phone":
            return self._best["phone"]
        return 0.0 if level == MISSING else self.model.fields[field][level].weight


def _sex(said: str | None) -> str | None:
    return said if said in ("male", "female") else None
