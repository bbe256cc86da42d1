"""Who is who: pure decisions on what the campuses say.

Two source patients are one person when a person said so, when one was merged into the other, when they show
the same valid ID card *and* agree in name or date of birth (a valid card may be borrowed or a parent's), or
when the model finds them alike enough. A VIP is nobody else, unless a person or their campus said so. People
are the connected groups of that relation, so the order in which campuses speak does not matter; what a person
said of a pair outranks the rest, both ways. Links set by hand without a verdict stand outside: automation
neither moves nor follows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from consortium.identity import groups, idcard, names, pairs
from consortium.identity.groups import Grouped
from consortium.identity.matching import Model, Weighed, comparable, compare, is_vip, weigh
from consortium.identity.matching.comparing import strangers
from consortium.identity.model import (
    RULE_VERSION,
    Evidence,
    Facts,
    Former,
    Link,
    Observed,
    Score,
    SourcePatient,
    own_person,
)
from consortium.identity.pairs import RULES, Edge, Suspect, Verdicts, prepared, waterfall

FACTS = tuple(f.name for f in fields(Facts))
FORMER = tuple(f.name for f in fields(Former))
REMEMBERED = 4
"""Earlier values kept of each fact for comparison; `identity.source_patient_history` has them all."""


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
    """Whether a change can move links: of anything that is compared, or of a merge."""
    return before is None or _linking(before) != _linking(after)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Who is who, and which pairs a person should look at."""

    links: Mapping[int, Link]
    """By source patient; those with a manual link that no verdict holds are not there."""
    suspects: tuple[Suspect, ...]


def assign(members: Sequence[SourcePatient]) -> Mapping[int, Link]:
    """Return the links that are certain: without a model and without verdicts."""
    return resolve(members, Verdicts(), None).links


def resolve(members: Sequence[SourcePatient], verdicts: Verdicts, model: Model | None) -> Resolved:
    """Return the link of every source patient; only links to another person than now matter.

    `members` must be closed: with a source patient come all that show its card, all that it was merged with,
    all of whom a person decided beside it, and all that the model finds to be the same.
    """
    fixed = {m.id: m.link.person_id for m in members if m.link is not None and _fixed(m.link)}
    free = [m for m in members if m.id not in fixed]
    found = pairs.find(free, verdicts, model)
    grouped = groups.unite(free, found.edges, verdicts)
    reasons = _strongest(found.edges, grouped)
    decided = {id_ for pair in (*verdicts.same, *verdicts.different) for id_ in pair}
    links: dict[int, Link] = {}
    for group in grouped.groups:
        person = _person(group, fixed)
        for member in group:
            links[member.id] = _link(member, person, reasons.get(member.id), member.id in decided, model)
    here = {m.id: links[m.id].person_id for m in free}
    suspects = [s for s in found.suspects if here[s.pair[0]] != here[s.pair[1]]]
    if model is not None:
        by_id = {m.id: m for m in free}
        suspects += [
            _refused(by_id, edge, by_verdict, model)
            for edge, by_verdict in grouped.refused
            if not by_verdict or edge.rule in ("verdict", "merged_number")
        ]
    return Resolved(links, tuple(suspects))


def root(patient: SourcePatient, by_id: Mapping[int, SourcePatient]) -> int:
    """Return the id of the number that stands for this one after all merges."""
    while patient.merged_into is not None and patient.merged_into in by_id:
        patient = by_id[patient.merged_into]
    return patient.merged_into or patient.id


def remember(former: Former, before: Facts, after: Facts) -> Former:
    """Return what is known of earlier values once `after` replaces `before`: none when it looks as if the
    number was given to somebody else.
    """
    if overlaid(before, after):
        return Former()
    return Former(**{name: _earlier(name, former, before, after) for name in FORMER})


def overlaid(before: Facts, after: Facts) -> bool:
    """Whether a number seems to have been given to another person: the name is a stranger's, and the date of
    birth or the card is another too.
    """
    one, other = comparable(before), comparable(after)
    if one.name is None or other.name is None or not strangers(one.name, other.name):
        return False
    vector = compare(one, other)
    return "differs" in (vector["birth_date"], vector["card"])


def overlays(
    replaced: Iterable[tuple[SourcePatient, SourcePatient]], members: Sequence[SourcePatient], model: Model
) -> list[Suspect]:
    """Return the questions about numbers that seem to have been given to somebody else: are they still who
    the others of their former person are?
    """
    return [
        Suspect(pairs.pair_of(new.id, other.id), "overlay", _weighed(new, other, model))
        for old, new in replaced
        if old.link is not None and overlaid(old.facts, new.facts) and not is_vip(new.facts)
        for other in members
        if other.id != old.id and other.link is not None and other.link.person_id == old.link.person_id
    ]


def _weighed(one: SourcePatient, other: SourcePatient, model: Model) -> Weighed:
    left, right = prepared(one), prepared(other)
    return weigh(compare(left, right), left, right, model)


def _earlier(name: str, former: Former, before: Facts, after: Facts) -> tuple[Any, ...]:
    was, now, known = getattr(before, name), getattr(after, name), getattr(former, name)
    values = known if was is None or was == now else (was, *known)
    return tuple(v for v in dict.fromkeys(values) if v != now)[:REMEMBERED]


def _linking(patient: SourcePatient) -> tuple[object, ...]:
    facts = patient.facts
    return (
        *(facts.name, facts.sex, facts.birth_date, facts.id_card, facts.phone, facts.address, facts.vip),
        *(patient.former, patient.merged_into, patient.survivor),
    )


def _fixed(link: Link) -> bool:
    """Whether a person set the link by hand, without a verdict on a pair."""
    return link.origin == "manual" and link.rule != "verdict"


def _strongest(edges: Sequence[Edge], grouped: Grouped) -> dict[int, Edge]:
    """Return the strongest reason of every source patient to be with its group."""
    refused = {edge.pair for edge, _ in grouped.refused}
    best: dict[int, Edge] = {}
    for edge in edges:
        if edge.pair in refused:
            continue
        for id_ in edge.pair:
            if id_ not in best or _rank(edge) < _rank(best[id_]):
                best[id_] = edge
    return best


def _rank(edge: Edge) -> tuple[int, float, tuple[int, int]]:
    weight = edge.weighed.weight if edge.weighed is not None else 0.0
    return RULES.index(edge.rule), -weight, edge.pair


def _link(
    member: SourcePatient, person: UUID, reason: Edge | None, decided: bool, model: Model | None
) -> Link:
    if decided:
        return Link(person, "manual", "verdict", RULE_VERSION)
    if member.merged_into is not None:
        return Link(person, "automatic", "merged_number", RULE_VERSION)
    if reason is None or reason.rule == "merged_number":
        return Link(person, "automatic", "own_number", RULE_VERSION)
    if reason.weighed is None or model is None:
        return Link(person, "automatic", reason.rule, RULE_VERSION)
    score = Score(reason.weighed.weight, model.version, waterfall(reason.weighed))
    return Link(person, "automatic", reason.rule, RULE_VERSION, score)


def _refused(by_id: Mapping[int, SourcePatient], edge: Edge, by_verdict: bool, model: Model) -> Suspect:
    left, right = (by_id[id_] for id_ in edge.pair)
    weighed = edge.weighed or _weighed(left, right, model)
    return Suspect(edge.pair, "verdict_conflict" if by_verdict else "card_conflict", weighed)


def _person(group: Sequence[SourcePatient], fixed: Mapping[int, UUID]) -> UUID:
    """Return whom a group is: the person of its survivor, else of its earliest number still in use."""
    followed = sorted(m.merged_into for m in group if m.merged_into is not None and m.merged_into in fixed)
    if followed:
        return fixed[followed[0]]
    anchor = min(group, key=lambda m: (m.merged_into is not None, not m.survivor, m.id))
    return own_person(anchor.facility, anchor.number)
