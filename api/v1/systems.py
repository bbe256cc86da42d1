"""The service registry: the systems of the campuses, declared and seen, and what breaks without one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from api.caller import Caller, gate
from api.failures import not_found
from api.v1.system_shapes import Details, Gateway, Impact, System
from bus.gateways import gateways
from bus.registry.finding import AmbiguousSystemError, UnknownSystemError, found
from bus.registry.impact import impact
from bus.registry.model import Entry, Link
from bus.registry.read import registry
from bus.registry.shown import details_json, entry_json, impact_json
from consortium.access.model import GROUP, SHARED, Action, Resource
from consortium.errors import ConflictError
from runtime.tended import patience

router = APIRouter(prefix="/systems", tags=["systems"])
Reader = Annotated[Caller, Depends(gate(Action.MESSAGE_READ))]
Campus = Annotated[str | None, Query(max_length=20, examples=["MAIN"], description="campus code")]
Code = Annotated[str, Path(max_length=64, examples=["LIS"], description="as declared, or a sender")]


@router.get("/gateways", summary="List the gateways on front machines")
def list_gateways(caller: Reader) -> list[Gateway]:
    """Return every gateway that ever called; of a campus's staff, those that speak for their campus."""
    own = caller.user.organisation
    caller.allow(SHARED if own == GROUP else Resource(organisation=own))
    with caller.parts.statements.connect() as connection:
        found = gateways(connection)
    return [Gateway(**asdict(one)) for one in found if own in {GROUP, *one.campuses}]


@router.get("", summary="List the campuses' systems")
def list_systems(caller: Reader, facility: Campus = None) -> list[System]:
    """Return every system declared, seen to send, or reached by a destination. Counts may be seconds old."""
    wanted = _allowed(caller, facility)
    entries, _ = _registry(caller)
    return [System(**entry_json(one)) for one in entries if wanted in (None, one.facility)]


@router.get("/{code}", summary="Show one system: what it gives and takes, its contracts, and drift")
def show_system(caller: Reader, code: Code, facility: Campus = None) -> Details:
    """Return all that is known of a system. 409: several campuses have one of that code; say which."""
    wanted = _allowed(caller, facility)
    entries, _ = _registry(caller)
    return Details(**details_json(_found(entries, code, wanted)))


@router.get("/{code}/impact", summary="Tell what breaks if a system goes away")
def show_impact(caller: Reader, code: Code, facility: Campus = None) -> Impact:
    """Return what stops coming, what starves of it, through others too, and what nobody receives then.

    409: several campuses have a system of that code; say which.
    """
    wanted = _allowed(caller, facility)
    entries, links = _registry(caller)
    return Impact(**impact_json(impact(_found(entries, code, wanted), entries, links)))


def _allowed(caller: Caller, facility: str | None) -> str | None:
    """Return whose systems are shown; of a campus's staff its own. Raises ForbiddenError."""
    own = caller.user.organisation
    wanted = facility or (None if own == GROUP else own)
    caller.allow(Resource(organisation=wanted) if wanted else SHARED)
    return wanted


def _registry(caller: Caller) -> tuple[list[Entry], dict[str, Link]]:
    parts = caller.parts
    with parts.statements.connect() as connection:
        rules = parts.rules.get(connection)
        destinations, declared = parts.destinations.get(connection), parts.systems.get(connection)
        return registry(connection, rules, destinations, declared, patience(parts.settings))


def _found(entries: list[Entry], code: str, facility: str | None) -> Entry:
    try:
        return found(entries, code, facility)
    except UnknownSystemError as error:
        raise not_found(str(error)) from error
    except AmbiguousSystemError as error:
        raise ConflictError(str(error)) from error
