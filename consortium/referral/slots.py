"""The slot of a referral: held when accepted, booked, moved and given back in the transaction of the step.

The booking's key is the referral's own name, so that a step which is tried again finds its booking. A booked
time without a slot, of a hospital that offers none here, is written down as it is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import sqlalchemy as sa

from consortium.referral.details import Details
from consortium.referral.errors import SlotRefusedError
from consortium.referral.model import FINAL, State, Step
from consortium.referral.store import Row
from consortium.scheduling import booking, resources, rows
from consortium.scheduling.errors import KeyInUseError, StateError, UnknownError
from consortium.scheduling.model import Booking, Want

NO_TIME: Row = {"slot_id": None, "slot_start": None, "slot_end": None}


def key(referral_id: UUID) -> str:
    """Return the business key of a referral's booking."""
    return f"referral-{referral_id}"


def settle(connection: sa.Connection, row: Row, step: Step, details: Details, after: State, by: str) -> Row:
    """Do what a step means for the slot, and return the referral's columns that it changes.

    Raises SlotRefusedError where the slot cannot be had.
    """
    match step:
        case Step.ACCEPT if details.slot_id:
            return _columns(_have(connection, row, details.slot_id, by))
        case Step.BOOK | Step.RESCHEDULE if details.slot_id:
            return _columns(_book(connection, row, details.slot_id, by))
        case Step.BOOK | Step.RESCHEDULE:
            _give_back(connection, row, by)
            return {"slot_id": None, "slot_start": details.slot_start, "slot_end": details.slot_end}
        case Step.DECLINE | Step.MISS:
            _give_back(connection, row, by)
            return NO_TIME
        case Step.CLOSE:  # the time was used, unless the patient came before it
            came = _give_back(connection, row, by, used=True)
            return NO_TIME if came else {}
        case _ if after in FINAL:
            return NO_TIME if _give_back(connection, row, by) else {}
        case _:
            return {}


def _have(connection: sa.Connection, row: Row, slot: UUID, by: str) -> Booking:
    """Hold a slot; one that is held or booked is moved there."""
    name = key(row["id"])
    with _refusing():
        _of_the_receiver(connection, row, slot)
        wanted = [Want(slot, name)]
        try:
            (held,) = booking.hold(connection, wanted, subject=name, by=by, length=booking.LONGEST_HOLD)
        except KeyInUseError:
            held = booking.move(connection, name, slot)
        return held


def _book(connection: sa.Connection, row: Row, slot: UUID, by: str) -> Booking:
    held = _have(connection, row, slot, by)
    with _refusing():
        return booking.confirm(connection, held.key, by=by)


def _give_back(connection: sa.Connection, row: Row, by: str, *, used: bool = False) -> bool:
    """Release what is held or booked; with `used` only what is still to come. False: there was nothing."""
    name = key(row["id"])
    known = rows.active(connection, name)
    if known is None or (used and _begun(connection, known)):
        return False
    booking.release(connection, name, by=by)
    return True


def _begun(connection: sa.Connection, known: Booking) -> bool:
    begun: bool = connection.execute(sa.select(sa.func.clock_timestamp() >= known.start)).scalar_one()
    return begun


def _of_the_receiver(connection: sa.Connection, row: Row, slot: UUID) -> None:
    resource = resources.get(connection, rows.slots(connection, [slot])[slot].resource)
    if resource.organisation != row["receiving_facility"]:
        raise UnknownError(
            f"the slot is of {resource.organisation}; name one of {row['receiving_facility']}",
            zh=f"该号源属于{resource.organisation}，请选择{row['receiving_facility']}的号源",
        )


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn what scheduling refuses into what a step is refused by."""
    try:
        yield
    except StateError as error:
        raise SlotRefusedError(str(error), error.zh, error.current) from error
    except UnknownError as error:
        raise SlotRefusedError(str(error), error.zh or "没有该号源", {}) from error


def _columns(had: Booking) -> Row:
    return {"slot_id": had.slot, "slot_start": had.start, "slot_end": had.end}
