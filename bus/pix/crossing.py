"""PIX query: from one identifier of a person to their others (IHE ITI TF-2: 3.9)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bus.hl7.message import Segment
from bus.hl7.problem import REQUIRED_FIELD, UNKNOWN_KEY
from bus.pix.domains import Domain, DomainError, Domains, Identifier, repetitions
from bus.pix.problem import Fault, FaultsError
from consortium.identity import idcard
from consortium.identity.service import PersonSearch, person, search

UNKNOWN = ("QPD", 1, 3, 1, 1)


@dataclass(frozen=True, slots=True)
class Question:
    """Whom, and in which domains; none: in all."""

    asked: Identifier
    targets: tuple[Domain, ...]


@dataclass(frozen=True, slots=True)
class Crossed:
    """A person's identifiers beside the one that was asked with."""

    person_id: UUID
    others: tuple[Identifier, ...]


def read(qpd: Segment, domains: Domains) -> Question:
    """Read QPD of QBP^Q23. Raises FaultsError with one fault for each domain that is not known."""
    asked = list(repetitions(qpd, 3))
    if len(asked) != 1 or asked[0].value is None:
        reason = "QPD-3 is to be one identifier: a number, and its authority in component 4"
        raise FaultsError(Fault(REQUIRED_FIELD, UNKNOWN, "missing_field", reason))
    faults: list[Fault] = []
    source: Domain | None = None
    try:
        source = asked[0].domain(domains)
    except DomainError as error:
        faults.append(Fault(UNKNOWN_KEY, ("QPD", 1, 3, 1, 4), "unknown_domain", f"QPD-3: {error}"))
    targets, unknown = named(qpd, 4, domains)
    if source is None or unknown:
        raise FaultsError(*faults, *unknown)
    return Question(Identifier(source, asked[0].value), targets)


def named(qpd: Segment, field: int, domains: Domains) -> tuple[tuple[Domain, ...], list[Fault]]:
    """Return the domains that a field names, and a fault for each that is not known."""
    found: list[Domain] = []
    faults: list[Fault] = []
    for one in repetitions(qpd, field):
        try:
            found.append(one.domain(domains))
        except DomainError as error:
            reason = f"QPD-{field}, repetition {one.place}: {error}"
            faults.append(Fault(UNKNOWN_KEY, ("QPD", 1, field, one.place), "unknown_domain", reason))
    return tuple(dict.fromkeys(found)), faults


def crossed(connection: sa.Connection, question: Question, domains: Domains) -> Crossed:
    """Return the other identifiers of the person. Raises FaultsError for an identifier that is nobody's."""
    asked = _canonical(question.asked)
    row = _holder(connection, asked)
    known = list(in_use(row, domains)) if row is not None and row["active"] else []
    if row is None or asked not in known:
        reason = "the identifier is not known in its domain"
        if row is not None and asked.domain.kind == "patient":
            reason = "the identifier is retired: it was merged into another of its domain, or taken back"
        raise FaultsError(Fault(UNKNOWN_KEY, UNKNOWN, "unknown_number", reason))
    others = within([one for one in known if one != asked], question.targets, domains)
    return Crossed(row["id"], tuple(others))


def within(
    known: Sequence[Identifier], targets: Collection[Domain], domains: Domains
) -> Iterator[Identifier]:
    """Give those of the domains that are asked for; the ID card only where it is asked for by name."""
    for one in known:
        if one.domain in targets or (not targets and one.domain is not domains.card):
            yield one


def in_use(row: dict[str, Any], domains: Domains) -> Iterator[Identifier]:
    """Give what a person, as the search gives them, is known by: numbers in use, our own id, a valid card."""
    for number in row["identifiers"]:
        if number["active"]:
            yield Identifier(domains.of(number["facility"]), number["number"])
    yield Identifier(domains.person, str(row["id"]))
    if card := idcard.normalise(row["id_card"]):
        yield Identifier(domains.card, card)


def _canonical(asked: Identifier) -> Identifier:
    if asked.domain.kind == "person":
        return Identifier(asked.domain, asked.value.lower())
    if asked.domain.kind == "id_card":
        return Identifier(asked.domain, idcard.normalise(asked.value) or asked.value)
    return asked


def _holder(connection: sa.Connection, asked: Identifier) -> dict[str, Any] | None:
    """Return the one person who has it. A card that several show, as a borrowed one, is nobody's."""
    if asked.domain.kind == "person":
        try:
            return person(connection, UUID(asked.value))
        except ValueError:
            return None
    if asked.domain.kind == "id_card":
        wanted = PersonSearch(id_card=asked.value, limit=2)
    elif asked.domain.facility is not None:
        wanted = PersonSearch(number=asked.value, facility=asked.domain.facility, limit=2)
    else:
        return None
    found = search(connection, wanted).rows
    return found[0] if len(found) == 1 else None
