"""What a person decides of two source patients, and takes back: at once in force, in the caller's transaction
(READ COMMITTED).
"""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa

from consortium.errors import ConflictError, PermanentError
from consortium.identity.cause import Cause
from consortium.identity.census import Census
from consortium.identity.pairs import Pair, pair_of

Says = Literal["same", "different"]

_LOCK = """
SELECT id FROM identity.source_patient WHERE id IN (%(left)s, %(right)s) ORDER BY id FOR NO KEY UPDATE
"""
_STANDING = """
SELECT id, says FROM identity.verdict
 WHERE left_id = %(left)s AND right_id = %(right)s AND revoked_at IS NULL
"""
_WRITE = """
INSERT INTO identity.verdict (left_id, right_id, says, reason, by_user)
VALUES (%(left)s, %(right)s, %(says)s, %(reason)s, %(by_user)s) RETURNING id, at
"""
_REVOKE = """
UPDATE identity.verdict SET revoked_at = now(), revoked_by = %(by_user)s, revoke_reason = %(reason)s
 WHERE id = %(id)s AND revoked_at IS NULL RETURNING left_id, right_id, revoked_at
"""
_ANSWER = """
UPDATE identity.review
   SET state = 'decided', decided_by = %(by_user)s, decided_at = now(), verdict_id = %(id)s
 WHERE left_id = %(left)s AND right_id = %(right)s AND state IN ('open', 'claimed')
"""
_PERSONS = """
SELECT count(DISTINCT person_id) FROM identity.link WHERE source_patient_id IN (%(left)s, %(right)s)
"""


def decide(
    connection: sa.Connection, left_id: int, right_id: int, says: Says, reason: str, by_user: str
) -> int:
    """Write that two source patients are the same person or different ones, and link them so; returns the
    verdict's id.

    What moves stands in the ledger with the moment of the verdict. The review of the pair, if one stands, is
    decided with it. The same decision again changes nothing.

    Raises:
        PermanentError: there is no such source patient, or both are one number.
        ConflictError: the opposite stands already (revoke it first), or other verdicts leave no room for
            this one; the caller rolls back.
    """
    pair = pair_of(left_id, right_id)
    sides = _locked(connection, pair)
    found = connection.exec_driver_sql(_STANDING, sides).one_or_none()
    if found is not None and found.says != says:
        raise ConflictError(f"verdict {found.id} says the opposite of these two: revoke it first")
    if found is not None:
        return int(found.id)
    said = {**sides, "says": says, "reason": reason, "by_user": by_user}
    verdict = connection.exec_driver_sql(_WRITE, said).one()
    connection.exec_driver_sql(_ANSWER, {**sides, "by_user": by_user, "id": verdict.id})
    _relink(connection, pair, Cause(verdict.at, by_user=by_user, reason=reason))
    persons = connection.exec_driver_sql(_PERSONS, sides).scalar_one()
    if (persons == 1) != (says == "same"):
        raise ConflictError(
            "other verdicts on these persons, or a link set by hand, leave no room for this one: revoke those"
            " first"
        )
    return int(verdict.id)


def revoke(connection: sa.Connection, verdict_id: int, by_user: str, reason: str) -> None:
    """Take a verdict back: everybody concerned is linked as if it had not been said.

    Raises:
        ConflictError: there is no such verdict, or it was revoked already.
    """
    said = {"id": verdict_id, "by_user": by_user, "reason": reason}
    row = connection.exec_driver_sql(_REVOKE, said).one_or_none()
    if row is None:
        raise ConflictError(f"verdict {verdict_id} does not stand: it is not there, or was revoked")
    pair = (row.left_id, row.right_id)
    _relink(connection, pair, Cause(row.revoked_at, by_user=by_user, reason=reason))


def _locked(connection: sa.Connection, pair: Pair) -> dict[str, int]:
    sides = {"left": pair[0], "right": pair[1]}
    if pair[0] == pair[1]:
        raise PermanentError("a source patient cannot be decided with itself: name two")
    if len(connection.exec_driver_sql(_LOCK, sides).all()) != 2:
        raise PermanentError("no such source patient: name two that are registered")
    return sides


def _relink(connection: sa.Connection, pair: Pair, cause: Cause) -> None:
    census = Census(connection, (), reconsider=pair)
    census.reconsider(cause)
    census.finish()
