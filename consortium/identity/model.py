"""What is known of people: as each campus says, and the person behind."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Literal

from consortium.errors import PermanentError

NAMESPACE = uuid.UUID("0f3b6d6e-7a0c-5d39-8d2e-3b6f2a9c51d7")
"""Namespace of the ids of people."""

RULE_VERSION = 3
"""Of the linking rules in `consortium.identity.decide`; grows with every change that could link differently.
"""

Origin = Literal["automatic", "manual"]
Evidence = Literal["card_invalid", "card_birth_differs", "card_sex_differs", "placeholder_name"]


class MergeError(PermanentError):
    """A merge that cannot be: of a number with itself, or into a number that was merged into it."""

    def __init__(self, code: str, message: str) -> None:
        """Keep a machine-readable code; the message names no number."""
        super().__init__(message)
        self.code = code
        self.field = "merge"


@dataclass(frozen=True, slots=True)
class Facts:
    """What one campus says of a patient."""

    name: str | None = None
    sex: str | None = None
    birth_date: date | None = None
    id_card: str | None = None
    """As sent."""
    phone: str | None = None
    address: str | None = None
    deceased: bool | None = None
    vip: bool | None = None
    """Whether the campus says that this is a VIP; a name such as 贵宾 or 匿名 says so too, see `is_vip`."""


@dataclass(frozen=True, slots=True)
class Former:
    """What the campus said earlier of the same number, newest first: linking compares it too."""

    name: tuple[str, ...] = ()
    birth_date: tuple[date, ...] = ()
    id_card: tuple[str, ...] = ()
    phone: tuple[str, ...] = ()
    address: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observed:
    """What linking reads from the facts."""

    card: str | None = None
    """The ID card as 18 characters, when it is valid."""
    name_key: str | None = None
    """The name as compared."""
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """What a model gave to a pair."""

    weight: float
    """log2 of the odds that the two are one person."""
    model_version: str
    evidence: tuple[tuple[str, str, float], ...]
    """The waterfall: field, level, weight."""


@dataclass(frozen=True, slots=True)
class Link:
    """That a source patient is a person."""

    person_id: uuid.UUID
    origin: Origin
    rule: str
    """own_number, merged_number, id_card, probable, verdict; or what a person set by hand."""
    rule_version: int
    score: Score | None = None
    """Of the strongest pair, when the rule is probable."""


@dataclass(frozen=True, slots=True)
class SourcePatient:
    """A patient as one campus numbers them."""

    id: int
    facility: str
    number: str
    message_id: int
    """The message that spoke last."""
    changed_at: datetime
    facts: Facts = field(default_factory=Facts)
    observed: Observed = field(default_factory=Observed)
    former: Former = field(default_factory=Former)
    merged_into: int | None = None
    """The source patient that this number was retired for."""
    survivor: bool = False
    """Another number was merged into this one."""
    version: int = 1
    source_version: str | None = None
    link: Link | None = None

    @property
    def person_id(self) -> uuid.UUID:
        """The linked person."""
        if self.link is None:
            raise ValueError("the source patient is not linked yet")
        return self.link.person_id


@dataclass(frozen=True, slots=True)
class Golden:
    """The golden record: what the linked source patients say together."""

    id: uuid.UUID
    facts: Facts
    active: bool
    """False: every source patient has left this person."""
    changed_at: datetime


@lru_cache(maxsize=4096)
def own_person(facility: str, number: str) -> uuid.UUID:
    """Return the id of the person whom a campus number stands for while nothing links it to another."""
    return uuid.uuid5(NAMESPACE, f"{facility}\x1f{number}")
