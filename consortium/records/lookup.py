"""One known fact by its number, in the shape of the canonical model: what a rule enriches a message with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from pydantic import BaseModel

from consortium.records import known
from consortium.records.model import Encounter, Fact, Order, Patient

FACTS: Final[Mapping[str, type[BaseModel]]] = {"patient": Patient, "encounter": Encounter, "order": Order}
"""What can be looked up, and its model."""


def find(connection: sa.Connection, facility: str, kind: str, number: str) -> Mapping[str, Any] | None:
    """Return what is known of a campus's patient, visit or order; None when it is not known.

    A record that was entered in error is not known.
    """
    if kind == "patient":
        found: Fact | None = known.patient(connection, facility, number)
    else:
        found = known.fact(connection, kind, facility, number)
    return None if found is None or getattr(found, "deleted", False) else found.model_dump()
