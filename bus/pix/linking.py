"""A24 links two patients, A37 takes that back: what a campus's people say, above automation."""

from __future__ import annotations

import uuid
from typing import Any

import sqlalchemy as sa

from bus.hl7.problem import UNKNOWN_KEY
from bus.pix.domains import Identifier
from bus.pix.feed import Linked
from bus.pix.problem import Fault, FaultsError
from consortium.errors import PermanentError
from consortium.identity import service as identity

_NUMBER = sa.text(
    "SELECT s.id, s.merged_into, l.person_id FROM identity.source_patient s"
    " JOIN identity.link l ON l.source_patient_id = s.id"
    " WHERE s.facility = :facility AND s.number = :number"
)
_STANDING = sa.text(
    "SELECT id FROM identity.verdict"
    " WHERE left_id = :left AND right_id = :right AND says = 'same' AND revoked_at IS NULL"
)


def apply(
    connection: sa.Connection, linked: Linked, who: str, control_id: str
) -> tuple[dict[str, Any], tuple[uuid.UUID, ...]]:
    """Link or unlink two patients; returns what the trace shows, and the people they are now.

    A37 revokes what an A24 (or a reviewer) decided. Where automation alone would link the two all the same,
    it decides that they are different people, which outranks automation.

    Raises:
        FaultsError: a number that is not known, or a decision that contradicts another.
    """
    left, right = sorted(_known(connection, side, n) for n, side in enumerate((linked.left, linked.right), 1))
    event = "A24" if linked.same else "A37"
    reason = f"ADT^{event}, control id {control_id}"
    try:
        if linked.same:
            done = _link(connection, left, right, who, reason)
        else:
            done = _unlink(connection, left, right, who, reason)
    except PermanentError as error:
        raise FaultsError(Fault(UNKNOWN_KEY, ("PID", 2, 3), "verdict_conflict", str(error))) from error
    persons = tuple(dict.fromkeys(_person(connection, id_) for id_ in (left, right)))
    return {"link": done}, persons


def _link(connection: sa.Connection, left: int, right: int, who: str, reason: str) -> str:
    if _standing(connection, left, right) is not None:
        return "linked before"
    identity.decide(connection, left, right, "same", reason, who)
    return "linked"


def _unlink(connection: sa.Connection, left: int, right: int, who: str, reason: str) -> str:
    done = "not linked"
    standing = _standing(connection, left, right)
    if standing is not None:
        identity.revoke(connection, standing, who, reason)
        done = "link revoked"
    if _person(connection, left) == _person(connection, right):
        identity.decide(connection, left, right, "different", reason, who)
        done = "parted"
    return done


def _known(connection: sa.Connection, side: Identifier, occurrence: int) -> int:
    values = {"facility": side.domain.facility, "number": side.value}
    row = connection.execute(_NUMBER, values).one_or_none()
    if row is None or row.merged_into is not None:
        reason = (
            "the number is not known" if row is None else "the number is retired: it was merged into another"
        )
        place = ("PID", occurrence, 3, 1, 1)
        raise FaultsError(Fault(UNKNOWN_KEY, place, "unknown_number", reason))
    return int(row.id)


def _standing(connection: sa.Connection, left: int, right: int) -> int | None:
    found = connection.execute(_STANDING, {"left": left, "right": right}).scalar_one_or_none()
    return None if found is None else int(found)


def _person(connection: sa.Connection, source_patient_id: int) -> uuid.UUID:
    found = connection.execute(
        sa.text("SELECT person_id FROM identity.link WHERE source_patient_id = :id"),
        {"id": source_patient_id},
    ).scalar_one()
    return uuid.UUID(str(found))
