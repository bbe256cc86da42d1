"""The hospitals of the consortium: campuses, and partners (联盟医院) of `rules/notifications/policy.yaml`."""

from __future__ import annotations

from sqlalchemy import Connection

from api.caller import Caller
from api.failures import Failure, FailureError


def require_hospital(caller: Caller, connection: Connection, code: str) -> None:
    """Refuse (422) a hospital that is neither: nobody there would take up what is sent."""
    partners = caller.parts.notifications.get(connection).policy.hospitals
    if code not in {campus.code for campus in caller.parts.settings.campuses} | partners.keys():
        detail = f"the consortium has no hospital {code}: give the code of a campus or partner hospital"
        raise FailureError(Failure(422, "unknown-hospital", detail))
