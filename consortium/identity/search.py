"""Finding people: by identifier, ID card, name, birth date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from consortium.identity import idcard, names, surnames

Row = dict[str, Any]
Match = Literal["prefix", "exact", "contains"]


@dataclass(frozen=True, slots=True)
class Held:
    """Something that a person is known by: a campus's number, or any in use of that campus; an ID card; our
    own id.
    """

    facility: str | None = None
    number: str | None = None
    id_card: str | None = None
    person: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonSearch:
    """Whom to look for. Every field that is given narrows; a person is found by what any of their campuses
    says.
    """

    ids: tuple[UUID, ...] = ()
    number: str | None = None
    """Patient number at a campus."""
    facility: str | None = None
    """Campus that gave the number; with it alone: everybody known there."""
    id_card: str | None = None
    """Resident ID card, 15 or 18 characters."""
    name: str | None = None
    name_match: Match = "prefix"
    family: str | None = None
    family_exact: bool = False
    given: tuple[str, ...] = ()
    given_exact: bool = False
    address: tuple[tuple[str, Match], ...] = ()
    """Texts in the address, each of which must be there."""
    held: tuple[tuple[Held, ...], ...] = ()
    """Of each group one is theirs."""
    birth_since: date | None = None
    """Born on this day or later."""
    birth_before: date | None = None
    """Born before this day."""
    sex: str | None = None
    phone: str | None = None
    name_like: str | None = None
    """Pattern of LIKE for a name as it is compared (`names.key`)."""
    address_like: tuple[str, ...] = ()
    """Patterns of LIKE, each of which the address fits."""
    known_at: tuple[str, ...] = ()
    """Campuses, of one of which they have a number in use."""
    vips: bool = False
    """Also VIPs by what describes them; who names them by our id, or by a campus's number, finds them anyway.
    """
    limit: int = 50
    after: UUID | None = None
    """`People.after` of the page before."""


@dataclass(frozen=True, slots=True)
class People:
    """Some people, by id, and where to go on."""

    rows: list[Row]
    """The columns of `identity.person`, and `identifiers`: the linked source patients, each with
    source_patient_id, facility, number, active (false once merged into another number, or taken back by its
    campus), name, id_card.
    """
    after: UUID | None


_PERSON = sa.table(
    "person",
    *map(
        sa.column,
        (
            "id",
            "name",
            "sex",
            "birth_date",
            "id_card",
            "phone",
            "address",
            "deceased",
            "vip",
            "active",
            "changed_at",
        ),
    ),
    schema="identity",
)
_LINK = sa.table(
    "link",
    *map(sa.column, ("source_patient_id", "person_id", "origin", "rule", "rule_version")),
    schema="identity",
)
_SOURCE = sa.table(
    "source_patient",
    *map(
        sa.column,
        (
            "id",
            "facility",
            "number",
            "name",
            "sex",
            "birth_date",
            "id_card",
            "phone",
            "address",
            "card",
            "name_key",
            "merged_into",
            "message_id",
        ),
    ),
    schema="identity",
)
_LEDGER = sa.table(
    "ledger",
    *map(sa.column, ("id", "source_patient_id", "from_person", "to_person", "at")),
    schema="identity",
)
_REMOVAL = sa.table("removal", *map(sa.column, ("source_patient_id", "message_id")), schema="identity")
_REMOVED = sa.exists().where(
    _REMOVAL.c.source_patient_id == _SOURCE.c.id, _REMOVAL.c.message_id >= _SOURCE.c.message_id
)
_IN_USE = sa.and_(_SOURCE.c.merged_into.is_(None), sa.not_(_REMOVED))


def search(connection: sa.Connection, wanted: PersonSearch) -> People:
    """Return the people that match, ordered by id; without any criterion, everybody. People whom every
    number has left are not found.
    """
    statement = sa.select(_PERSON).where(*_matching(wanted)).order_by(_PERSON.c.id).limit(wanted.limit + 1)
    if wanted.after is not None:
        statement = statement.where(_PERSON.c.id > wanted.after)
    rows = [dict(row) for row in connection.execute(statement).mappings()]
    kept = rows[: wanted.limit]
    _attach_identifiers(connection, kept)
    return People(kept, kept[-1]["id"] if len(rows) > wanted.limit and kept else None)


def count(connection: sa.Connection, wanted: PersonSearch) -> int:
    """Return how many people a search finds on all its pages."""
    statement = sa.select(sa.func.count()).select_from(_PERSON).where(*_matching(wanted))
    return connection.execute(statement).scalar_one()


def person(connection: sa.Connection, id_: UUID) -> Row | None:
    """Return one person as `search` does, also one whom every number has left (`active` false)."""
    row = connection.execute(sa.select(_PERSON).where(_PERSON.c.id == id_)).mappings().one_or_none()
    if row is None:
        return None
    rows = [dict(row)]
    _attach_identifiers(connection, rows)
    return rows[0]


def successors(connection: sa.Connection, id_: UUID) -> list[UUID]:
    """Return the people to whom the numbers went that were once linked to this person."""
    moved = sa.select(_LEDGER.c.source_patient_id).where(_LEDGER.c.from_person == id_)
    now = (
        sa.select(_LINK.c.person_id)
        .distinct()
        .where(_LINK.c.source_patient_id.in_(moved), _LINK.c.person_id != id_)
    )
    return list(connection.execute(now.order_by(_LINK.c.person_id)).scalars())


def _matching(wanted: PersonSearch) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [_PERSON.c.active]
    if not wanted.vips and not _identified(wanted):
        conditions.append(_PERSON.c.vip.is_not(sa.true()))
    if wanted.ids:
        conditions.append(_PERSON.c.id.in_(wanted.ids))
    if said := _said(wanted):
        linked = sa.select(_LINK.c.person_id).join_from(
            _LINK, _SOURCE, _SOURCE.c.id == _LINK.c.source_patient_id
        )
        conditions.append(_PERSON.c.id.in_(linked.where(*said)))
    conditions += [sa.or_(*map(_holds, group)) for group in wanted.held]
    if wanted.known_at:
        numbered = sa.select(_LINK.c.person_id).join_from(
            _LINK, _SOURCE, _SOURCE.c.id == _LINK.c.source_patient_id
        )
        conditions.append(_PERSON.c.id.in_(numbered.where(_SOURCE.c.facility.in_(wanted.known_at), _IN_USE)))
    return conditions


def _identified(wanted: PersonSearch) -> bool:
    """Whether only who is named by our id or a campus's number can be found; an ID card is known to many."""
    if wanted.ids or (wanted.number is not None and wanted.facility is not None):
        return True
    return any(group and all(map(_exact, group)) for group in wanted.held)


def _exact(held: Held) -> bool:
    return held.person is not None or (held.number is not None and held.facility is not None)


def _holds(held: Held) -> sa.ColumnElement[bool]:
    if held.person is not None:
        return _PERSON.c.id == held.person
    c = _SOURCE.c
    if held.id_card is not None:
        said = [c.card == (idcard.normalise(held.id_card) or "")]
    else:
        said = [_IN_USE] if held.number is None else [c.number == held.number]
        said += [] if held.facility is None else [c.facility == held.facility]
    holders = sa.select(_LINK.c.person_id).join_from(_LINK, _SOURCE, c.id == _LINK.c.source_patient_id)
    return _PERSON.c.id.in_(holders.where(*said))


def _said(wanted: PersonSearch) -> list[sa.ColumnElement[bool]]:
    c = _SOURCE.c
    criteria = (
        (wanted.number, lambda number: c.number == number),
        (wanted.facility, lambda facility: c.facility == facility),
        (wanted.id_card, lambda text: c.card == (idcard.normalise(text) or "")),
        (wanted.name, lambda name: _named(names.key(name), wanted.name_match)),
        (wanted.birth_since, lambda day: c.birth_date >= day),
        (wanted.birth_before, lambda day: c.birth_date < day),
        (wanted.sex, lambda sex: c.sex == sex),
        (wanted.phone, lambda phone: c.phone == phone),
        (wanted.family, lambda family: surnames.family(c.name_key, family, wanted.family_exact)),
        (wanted.name_like, lambda pattern: c.name_key.like(pattern, escape="\\")),
    )
    found = [condition(value) for value, condition in criteria if value is not None]
    found += [surnames.given(c.name_key, given, wanted.given_exact) for given in wanted.given]
    found += [c.address.like(pattern, escape="\\") for pattern in wanted.address_like]
    return found + [_texts(c.address, text, match) for text, match in wanted.address]


def _named(key: str, match: str) -> sa.ColumnElement[bool]:
    return _texts(_SOURCE.c.name_key, key, match)


def _texts(column: sa.ColumnElement[str], key: str, match: str) -> sa.ColumnElement[bool]:
    if match == "exact":
        return column == key
    return (
        column.startswith(key, autoescape=True)
        if match == "prefix"
        else column.contains(key, autoescape=True)
    )


def _attach_identifiers(connection: sa.Connection, people: Sequence[Row]) -> None:
    identifiers = (
        sa.select(
            _LINK.c.person_id,
            _SOURCE.c.id.label("source_patient_id"),
            _SOURCE.c.facility,
            _SOURCE.c.number,
            _IN_USE.label("active"),
            _SOURCE.c.name,
            _SOURCE.c.id_card,
        )
        .join_from(_LINK, _SOURCE, _SOURCE.c.id == _LINK.c.source_patient_id)
        .where(_LINK.c.person_id.in_([person["id"] for person in people]))
        .order_by(_SOURCE.c.facility, _SOURCE.c.number)
    )
    by_person: dict[UUID, list[Row]] = {person["id"]: [] for person in people}
    for row in connection.execute(identifiers).mappings():
        identifier = dict(row)
        by_person[identifier.pop("person_id")].append(identifier)
    for person_row in people:
        person_row["identifiers"] = by_person[person_row["id"]]
