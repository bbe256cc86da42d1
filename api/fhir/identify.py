"""From a FHIR identifier to a search over persons."""

from __future__ import annotations

from typing import Any

from api.fhir.parameters import Token, uuid_or_none
from bus.fhir.systems import Systems
from consortium.identity import idcard


def person_criteria(token: Token, systems: Systems) -> dict[str, Any] | None:
    """Return fields of `PersonSearch` for an identifier; None when it can be nobody's.

    Without a system, a valid resident ID card is taken for one, all else for a campus's patient number.
    """
    if token.system:
        return _of_domain(token, systems)
    if token.system is None and idcard.normalise(token.code) is not None:
        return {"id_card": token.code}
    return {"number": token.code}


def _of_domain(token: Token, systems: Systems) -> dict[str, Any] | None:
    domain = systems.domain(token.system or "")
    if domain is None or not (token.code or domain.kind == "patient"):
        return None
    if domain.kind == "id_card":
        return {"id_card": token.code}
    if domain.kind == "person":
        id_ = uuid_or_none(token.code)
        return {"ids": (id_,)} if id_ else None
    if domain.kind == "patient":
        return {"facility": domain.facility, "number": token.code or None}
    return None
