"""Whom a person at the command line means: by id, or by a campus and its number."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from consortium.errors import PermanentError
from consortium.identity import reading


def person_named(connection: sa.Connection, text: str) -> UUID:
    """Return the person of a number, or an id as it is given: nobody may have it. Raises PermanentError."""
    try:
        return UUID(text)
    except ValueError:
        return number_named(connection, text).person_id


def linked_person(connection: sa.Connection, text: str) -> UUID:
    """Return the person that a text names. Raises PermanentError: no number is linked to them."""
    person = person_named(connection, text)
    if not reading.of_persons(connection, [person]):
        raise PermanentError(
            f"no number is linked to the person {person}: write CAMPUS:NUMBER, such as MAIN:M0001, or see"
            f" ./yilian identity person {person}",
            zh=f"没有任何编号属于人员 {person}：请写作 院区:患者编号，如 MAIN:M0001，"
            f"或查看 ./yilian identity person {person}",
        )
    return person


def number_named(connection: sa.Connection, text: str) -> reading.Linked:
    """Return the number that CAMPUS:NUMBER names. Raises PermanentError: it is not registered."""
    facility, _, number = text.partition(":")
    found = reading.find(connection, facility, number)
    if found is None:
        raise PermanentError(
            f"{facility or '?'} has registered no such number: write CAMPUS:NUMBER, such as MAIN:M0001",
            zh=f"{facility or '?'} 没有登记该编号：请写作 院区:患者编号，如 MAIN:M0001",
        )
    return found
