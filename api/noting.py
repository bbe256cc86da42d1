"""Putting in the audit that a transaction was answered by an error of its profile."""

from __future__ import annotations

from api.caller import Caller
from consortium.access import audit


def failed(caller: Caller, reason: str) -> None:
    """Note a question or a statement that got no answer or was not taken; the reason repeats no value."""
    entry = audit.entry(
        caller.user,
        caller.action,
        caller.purpose,
        caller.resource,
        "refused",
        reason,
        request_id=caller.request_id,
    )
    with caller.parts.statements.connect() as connection:
        audit.append(connection, entry)
