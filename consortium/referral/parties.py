"""As which party a user works on a referral."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from consortium.access.model import Resource, Role, User
from consortium.referral.model import Party, State

_ROLES = {
    ("sending", Role.DOCTOR): Party.SENDING_DOCTOR,
    ("sending", Role.COORDINATOR): Party.SENDING_COORDINATOR,
    ("receiving", Role.DOCTOR): Party.RECEIVING_DOCTOR,
    ("receiving", Role.COORDINATOR): Party.RECEIVING_COORDINATOR,
}
OF_ROLE = {
    Role.DOCTOR: (Party.SENDING_DOCTOR, Party.RECEIVING_DOCTOR),
    Role.COORDINATOR: (Party.SENDING_COORDINATOR, Party.RECEIVING_COORDINATOR),
}
"""The parties that a member of staff is, at one referral or another."""


def party_of(user: User, referral: Mapping[str, Any]) -> Party | None:
    """Return the party that a user is at this referral; None: they have nothing to do with it.

    Before it is submitted the receiving hospital has not: the patient may not have agreed yet.
    """
    if user.role is Role.PATIENT:
        return Party.PATIENT if user.person_id and user.person_id == referral["person_id"] else None
    for side in ("sending", "receiving"):
        if user.organisation == referral[f"{side}_facility"]:
            if side == "receiving" and referral["state"] == State.DRAFT:
                return None
            return _ROLES.get((side, user.role))
    return None


def resource_of(user: User, referral: Mapping[str, Any]) -> Resource:
    """Return what access decides about: the referral as the user's own hospital has it, if it has it."""
    sides = (referral["sending_facility"], referral["receiving_facility"])
    organisation = user.organisation if user.organisation in sides else sides[0]
    return Resource(organisation=organisation, person_id=referral["person_id"])
