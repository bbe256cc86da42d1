"""As which party a user works on a consultation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from consortium.access.model import Resource, Role, User
from consortium.teleconsult.model import Party, State

_ROLES = {
    ("requesting", Role.DOCTOR): Party.REQUESTING_DOCTOR,
    ("requesting", Role.COORDINATOR): Party.REQUESTING_COORDINATOR,
    ("consulting", Role.DOCTOR): Party.CONSULTING_DOCTOR,
    ("consulting", Role.COORDINATOR): Party.CONSULTING_COORDINATOR,
}


def party_of(user: User, row: Mapping[str, Any]) -> Party | None:
    """Return the party that a user is at this consultation; None: they have nothing to do with it.

    Before it is submitted the asked hospital has not: the patient may not have agreed yet.
    """
    if user.role is Role.PATIENT:
        return Party.PATIENT if user.person_id and user.person_id == row["person_id"] else None
    if user.role is Role.DOCTOR and user.username in row["experts"]:
        return Party.EXPERT
    for side in ("requesting", "consulting"):
        if user.organisation == row[f"{side}_facility"]:
            if side == "consulting" and row["state"] == State.DRAFT:
                return None
            return _ROLES.get((side, user.role))
    return None


def resource_of(user: User, row: Mapping[str, Any]) -> Resource:
    """Return what access decides about: the consultation as the user's hospital has it, if it has it."""
    sides = {row["requesting_facility"], row["consulting_facility"]}
    theirs = user.organisation in sides or user.username in row["experts"]
    organisation = user.organisation if theirs else row["requesting_facility"]
    return Resource(organisation=organisation, person_id=row["person_id"])
