"""Keeping what could not be written, so that it can be found again: `messages list --state refused`."""

from __future__ import annotations

from typing import Any

import psycopg

from api.caller import Caller
from api.fhir.writing import WriteError
from bus.envelope import Refusal
from bus.inbox import refuse_in
from bus.sources.fhir import PROTOCOL

KEPT = 64 * 1024
"""Bytes kept of a body."""


def keep(caller: Caller, body: bytes, peer: str, failed: WriteError) -> None:
    """Keep a refused write with its reason."""
    issue = failed.issues[0]
    refusal = Refusal(
        protocol=PROTOCOL,
        endpoint=caller.resource,
        peer=peer,
        code=f"fhir_{issue.code}".replace("-", "_"),
        reason="; ".join(f"{one.expression}: {one.text}" for one in failed.issues),
        body=body[:KEPT],
        size=len(body),
        facility=caller.user.organisation,
    )
    with caller.parts.engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101 - narrows: our engines are psycopg's
        refuse_in(driver, [refusal])
