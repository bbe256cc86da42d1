"""The golden record: for each field, whose word survives, and why. Pure; the rules are
`rules/identity/survivorship.yaml`, read once in a process.

The record is computed from the linked numbers whenever one of them changes or moves, and never edited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml

from consortium.errors import PermanentError
from consortium.identity import idcard
from consortium.identity.decide import FACTS
from consortium.identity.matching import is_vip
from consortium.identity.model import Facts, Golden, SourcePatient

ONLY = "only"
"""Why a word survived: no other number says anything."""
AGREED = "agreed"
"""Why a word survived: all that say something say the same."""
FIRST = "registered_first"
"""Why a word survived: no criterion told them apart."""
PHONE_DIGITS = 7


@dataclass(frozen=True, slots=True)
class Rules:
    """The criteria of every field, in order."""

    fields: Mapping[str, tuple[str, ...]]
    trusted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """One field of a golden record."""

    field: str
    value: Any
    source_patient_id: int | None
    """Whose word it is; None: nobody says anything."""
    why: str | None
    """The criterion that told it apart from the next other word; or ONLY, AGREED, FIRST."""


Criterion = Callable[[SourcePatient, Any, Rules], Any]
"""From a number, its word and the rules to a rank: the smallest survives."""


def parse(text: str) -> Rules:
    """Read rules. Raises PermanentError naming the field or criterion that is wrong."""
    data = yaml.safe_load(text)
    given = data.get("fields", {})
    if set(given) != set(FACTS):
        wrong = ", ".join(sorted(set(given) ^ set(FACTS)))
        raise PermanentError(f"survivorship.yaml: each field once, and no other: {wrong}")
    unknown = sorted({one for criteria in given.values() for one in criteria} - set(CRITERIA))
    if unknown:
        raise PermanentError(f"survivorship.yaml: no such criterion: {', '.join(unknown)}")
    return Rules({name: tuple(given[name]) for name in FACTS}, tuple(data.get("trusted", ())))


def golden(
    person_id: UUID, members: Sequence[SourcePatient], changed_at: datetime, rules: Rules | None = None
) -> Golden:
    """Return a person's golden record from the numbers that are linked to them."""
    facts = Facts(**{one.field: one.value for one in explain(members, rules)})
    return Golden(person_id, facts, bool(members), changed_at)


def explain(members: Sequence[SourcePatient], rules: Rules | None = None) -> list[Choice]:
    """Return the golden record's fields, each with whose word it is and why."""
    return [_choose(field, members, rules or RULES) for field in FACTS]


def _choose(field: str, members: Sequence[SourcePatient], rules: Rules) -> Choice:
    said = [(member, word) for member in members if (word := _word(member, field)) is not None]
    if not said:
        return Choice(field, None, None, None)
    ranks = [(*_ranks(member, word, field, rules), member.id) for member, word in said]
    order = sorted(range(len(said)), key=ranks.__getitem__)
    winner, word = said[order[0]]
    other = next((index for index in order if said[index][1] != word), None)
    if other is None:
        return Choice(field, word, winner.id, AGREED if len(said) > 1 else ONLY)
    told = zip((*rules.fields[field], FIRST), ranks[order[0]], ranks[other], strict=True)
    return Choice(field, word, winner.id, next(name for name, ours, theirs in told if ours != theirs))


def _ranks(member: SourcePatient, word: Any, field: str, rules: Rules) -> tuple[Any, ...]:
    return tuple(CRITERIA[name](member, word, rules) for name in rules.fields[field])


def _word(member: SourcePatient, field: str) -> Any:
    said = getattr(member.facts, field)
    if field == "vip":
        return is_vip(member.facts) or said
    return member.observed.card or said if field == "id_card" else said


def _verified(member: SourcePatient) -> bool:
    return member.observed.card is not None and not any(
        found in member.observed.evidence for found in ("card_birth_differs", "card_sex_differs")
    )


def _card_agrees(member: SourcePatient, word: Any) -> bool:
    card = member.observed.card
    if card is None:
        return False
    return bool(word == (idcard.birth_date(card) if isinstance(word, date) else idcard.sex(card)))


def _trust(member: SourcePatient, rules: Rules) -> int:
    return rules.trusted.index(member.facility) if member.facility in rules.trusted else len(rules.trusted)


CRITERIA: Mapping[str, Criterion] = {
    "in_use": lambda member, _word, _rules: member.merged_into is not None,
    "real_name": lambda member, _word, _rules: "placeholder_name" in member.observed.evidence,
    "valid_card": lambda member, _word, _rules: member.observed.card is None,
    "verified": lambda member, _word, _rules: not _verified(member),
    "card_agrees": lambda member, word, _rules: not _card_agrees(member, word),
    "protected": lambda _member, word, _rules: not word,
    "specific": lambda _member, word, _rules: word not in ("male", "female"),
    "well_formed": lambda _member, word, _rules: sum(map(str.isdigit, word)) < PHONE_DIGITS,
    "most_complete": lambda _member, word, _rules: -len(word),
    "trusted": lambda member, _word, rules: _trust(member, rules),
    "most_recent": lambda member, _word, _rules: -member.changed_at.timestamp(),
}
RULES = parse((Path(__file__).parents[2] / "rules" / "identity" / "survivorship.yaml").read_text("utf-8"))
"""The rules in force."""
