"""PIX query: from one identifier of a person to their others (IHE ITI TF-2: 3.9)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from bus.hl7.message import Segment
from bus.hl7.problem import REQUIRED_FIELD, UNKNOWN_KEY
from bus.pix.domains import Domain, DomainError, Domains, Identifier, repetitions
from bus.pix.problem import Fault, FaultsError
from consortium.identity import crossing

UNKNOWN = ("QPD", 1, 3, 1, 1)
ORDER: tuple[crossing.Domain, ...] = ("patient", "person", "id_card")
"""In which order identifiers are told."""


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
    asked = question.asked.known
    found = None if asked is None else crossing.crossed(connection, asked)
    if asked is None or found is None:
        reason = "the identifier is not known in its domain"
        if _retired(connection, question.asked):
            reason = "the identifier is retired: it was merged into another of its domain, or taken back"
        raise FaultsError(Fault(UNKNOWN_KEY, UNKNOWN, "unknown_number", reason))
    return Crossed(found.person_id, told(found.others(asked), question.targets, domains))


def told(
    ids: Iterable[crossing.Identifier], targets: Sequence[Domain], domains: Domains
) -> tuple[Identifier, ...]:
    """Return those of the domains that are asked for, campuses' numbers first; the ID card only where it is
    asked for by name.
    """
    wanted = [known for one in targets if (known := one.known) is not None]
    if wanted:
        ids = crossing.within(ids, wanted)
    elif targets:
        ids = ()
    else:
        ids = [one for one in ids if one.domain != "id_card"]
    return tuple(domains.shown(one) for one in sorted(ids, key=lambda one: ORDER.index(one.domain)))


def _retired(connection: sa.Connection, asked: Identifier) -> bool:
    facility = asked.domain.facility
    return facility is not None and crossing.state(connection, facility, asked.value) == "retired"
