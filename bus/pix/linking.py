"""A24 links two patients, A37 takes that back: what a campus's people say, above automation."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from bus.hl7.problem import UNKNOWN_KEY
from bus.pix.domains import Identifier
from bus.pix.feed import Linked
from bus.pix.problem import Fault, FaultsError
from consortium.errors import PermanentError
from consortium.identity import crossing
from consortium.identity import service as identity

_NUMBER = sa.text("SELECT id FROM identity.source_patient WHERE facility = :facility AND number = :number")
_STANDING = sa.text(
    "SELECT id, says, by_user FROM identity.verdict"
    " WHERE left_id = :left AND right_id = :right AND revoked_at IS NULL"
)
_PERSON = sa.text("SELECT person_id FROM identity.link WHERE source_patient_id = :id")

_UNUSABLE: dict[crossing.State, str] = {
    "unknown": "the number is not known",
    "retired": "the number is retired: it was merged into another, or taken back",
}

BY = "pix:"
"""Before MSH-3|MSH-4 in the verdicts of applications. Another application may take them back."""


@dataclass(frozen=True, slots=True)
class _Deed:
    """Two source patients, and who says what of them."""

    connection: sa.Connection
    left: int
    right: int
    who: str
    reason: str

    def standing(self) -> tuple[int, str] | None:
        """Return the verdict that stands, its id and what it says. Raises FaultsError for a reviewer's."""
        values = {"left": self.left, "right": self.right}
        row = self.connection.execute(_STANDING, values).one_or_none()
        if row is None:
            return None
        if not row.by_user.startswith(BY):
            reason = "a reviewer decided of these two patients already: they take it back, or you agree"
            raise FaultsError(Fault(UNKNOWN_KEY, ("PID", 2, 3), "verdict_conflict", reason))
        return int(row.id), str(row.says)

    def one_person(self) -> bool:
        """Whether they are one person now."""
        return len({_person(self.connection, id_) for id_ in (self.left, self.right)}) == 1

    def decide(self, says: Literal["same", "different"]) -> None:
        identity.decide(self.connection, self.left, self.right, says, self.reason, self.who)

    def revoke(self, verdict: int) -> None:
        identity.revoke(self.connection, verdict, self.who, self.reason)


def apply(
    connection: sa.Connection, linked: Linked, who: str, control_id: str
) -> tuple[dict[str, Any], tuple[uuid.UUID, ...]]:
    """Link or unlink two patients; returns what the trace shows, and the people they are now.

    A37 revokes what an A24 decided. Where automation alone would link the two all the same,
    it decides that they are different people, which outranks automation.

    Raises:
        FaultsError: a number that is not known, or a decision that contradicts another.
    """
    left, right = sorted(_known(connection, side, n) for n, side in enumerate((linked.left, linked.right), 1))
    event = "A24" if linked.same else "A37"
    deed = _Deed(connection, left, right, f"{BY}{who}", f"ADT^{event}, control id {control_id}")
    try:
        done = _link(deed) if linked.same else _unlink(deed)
    except FaultsError:
        raise
    except PermanentError as error:
        raise FaultsError(Fault(UNKNOWN_KEY, ("PID", 2, 3), "verdict_conflict", str(error))) from error
    persons = tuple(dict.fromkeys(_person(connection, id_) for id_ in (left, right)))
    return {"link": done}, persons


def _link(deed: _Deed) -> str:
    standing = deed.standing()
    if standing is not None and standing[1] == "same":
        return "linked before"
    if standing is not None:
        deed.revoke(standing[0])
    deed.decide("same")
    return "linked"


def _unlink(deed: _Deed) -> str:
    done = "not linked"
    standing = deed.standing()
    if standing is not None and standing[1] == "same":
        deed.revoke(standing[0])
        done = "link revoked"
    if deed.one_person():
        deed.decide("different")
        done = "parted"
    return done


def _known(connection: sa.Connection, side: Identifier, occurrence: int) -> int:
    facility = str(side.domain.facility)
    reason = _UNUSABLE.get(crossing.state(connection, facility, side.value))
    if reason is not None:
        place = ("PID", occurrence, 3, 1, 1)
        raise FaultsError(Fault(UNKNOWN_KEY, place, "unknown_number", reason))
    found: int = connection.execute(_NUMBER, {"facility": facility, "number": side.value}).scalar_one()
    return found


def _person(connection: sa.Connection, source_patient_id: int) -> uuid.UUID:
    found: uuid.UUID = connection.execute(_PERSON, {"id": source_patient_id}).scalar_one()
    return found
