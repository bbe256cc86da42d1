"""Who is who: pure decisions on what the campuses say.

Two source patients are one person when they show the same valid ID card *and* agree in name or date of
birth: a valid card may be borrowed or a parent's. A retired number is the person it was merged into. People
are the connected groups of that relation, so the order in which campuses speak does not matter. Manual links
stand outside: automation neither moves nor follows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from uuid import UUID

from consortium.identity import idcard, names
from consortium.identity.model import (
    RULE_VERSION,
    Evidence,
    Facts,
    Link,
    Observed,
    SourcePatient,
    own_person,
)

FACTS = tuple(f.name for f in fields(Facts))


def observe(facts: Facts) -> Observed:
    """Return what linking reads from the facts; what contradicts itself is kept as evidence and decides
    nothing.
    """
    card = idcard.normalise(facts.id_card)
    found: list[Evidence] = []
    if facts.id_card is not None and card is None:
        found.append("card_invalid")
    if card is not None and facts.birth_date is not None and idcard.birth_date(card) != facts.birth_date:
        found.append("card_birth_differs")
    if card is not None and facts.sex in ("male", "female") and idcard.sex(card) != facts.sex:
        found.append("card_sex_differs")
    if facts.name is not None and names.is_placeholder(facts.name):
        found.append("placeholder_name")
    return Observed(card, names.key(facts.name) if facts.name is not None else None, tuple(found))


def relevant(before: SourcePatient | None, after: SourcePatient) -> bool:
    """Whether a change can move links: of card, name, birth date or merge."""
    return before is None or _linking(before) != _linking(after)


def agree(left: SourcePatient, right: SourcePatient) -> bool:
    """Whether two source patients are one person by ID card: the same valid one, with the same name or birth
    date.
    """
    if left.observed.card is None or left.observed.card != right.observed.card:
        return False
    if any("placeholder_name" in side.observed.evidence for side in (left, right)):
        return False
    same_name = bool(left.observed.name_key) and left.observed.name_key == right.observed.name_key
    same_birth = left.facts.birth_date is not None and left.facts.birth_date == right.facts.birth_date
    return same_name or same_birth


def assign(members: Sequence[SourcePatient]) -> dict[int, Link]:
    """Return the link of every source patient without a manual one; only links to another person than now
    matter.

    `members` must be closed: with a source patient come all that show its card and all that it was merged
    with.
    """
    fixed = {m.id: m.link.person_id for m in members if m.link is not None and m.link.origin == "manual"}
    links: dict[int, Link] = {}
    for group in _groups([m for m in members if m.id not in fixed]):
        person = _person(group, fixed)
        for member in group:
            links[member.id] = Link(person, "automatic", _rule(member, group), RULE_VERSION)
    return links


def root(patient: SourcePatient, by_id: Mapping[int, SourcePatient]) -> int:
    """Return the id of the number that stands for this one after all merges."""
    while patient.merged_into is not None and patient.merged_into in by_id:
        patient = by_id[patient.merged_into]
    return patient.merged_into or patient.id


def _linking(patient: SourcePatient) -> tuple[object, ...]:
    return patient.observed, patient.facts.birth_date, patient.merged_into, patient.survivor


def _person(group: Sequence[SourcePatient], fixed: Mapping[int, UUID]) -> UUID:
    """Return whom a group is: the person of its survivor, else of its earliest number still in use."""
    followed = sorted(m.merged_into for m in group if m.merged_into is not None and m.merged_into in fixed)
    if followed:
        return fixed[followed[0]]
    anchor = min(group, key=lambda m: (m.merged_into is not None, not m.survivor, m.id))
    return own_person(anchor.facility, anchor.number)


def _rule(member: SourcePatient, group: Sequence[SourcePatient]) -> str:
    if member.merged_into is not None:
        return "merged_number"
    return "id_card" if any(m is not member and agree(m, member) for m in group) else "own_number"


def _groups(members: Sequence[SourcePatient]) -> list[list[SourcePatient]]:
    """Return the connected groups by agreement and merge."""
    leader = {m.id: m.id for m in members}

    def find(id_: int) -> int:
        while leader[id_] != id_:
            id_ = leader[id_]
        return id_

    for left, right in _pairs(members):
        leader[find(left)] = find(right)
    groups: dict[int, list[SourcePatient]] = {}
    for member in members:
        groups.setdefault(find(member.id), []).append(member)
    return list(groups.values())


def _pairs(members: Sequence[SourcePatient]) -> Iterable[tuple[int, int]]:
    here = {m.id for m in members}
    by_card: dict[str, list[SourcePatient]] = {}
    for member in members:
        if member.merged_into in here and member.merged_into is not None:
            yield member.id, member.merged_into
        if member.observed.card is not None:
            by_card.setdefault(member.observed.card, []).append(member)
    for same in by_card.values():
        for index, left in enumerate(same):
            yield from ((left.id, right.id) for right in same[index + 1 :] if agree(left, right))
