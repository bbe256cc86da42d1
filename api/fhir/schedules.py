"""The routes of `/fhir` for calendars: Schedule and Slot, read and search."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from api.caller import Caller, gate
from api.encoding import FHIR_JSON, FhirResponse
from api.failures import not_found
from api.fhir.bundle import Found, bundle
from api.fhir.calendar_parameters import PARAMETERS
from api.fhir.examples import described
from api.fhir.parameters import Control, Query, control, reference_id, uuid_or_none
from api.fhir.router import acceptable, add_search, asked, base
from api.fhir.wrong import wrong_value
from bus.fhir.resources.schedule import STATUSES, schedule, slot
from bus.fhir.shapes import Resource
from bus.fhir.systems import Systems
from consortium.access.model import SHARED, Action
from consortium.scheduling import resources
from consortium.scheduling.errors import UnknownError
from consortium.scheduling.model import Offer
from consortium.scheduling.resources import Search

NOBODY = UUID(int=0)
"""What an id that cannot be one of ours finds."""

router = APIRouter(prefix="/fhir", tags=["fhir"], default_response_class=FhirResponse)
Reader = Annotated[Caller, Depends(gate(Action.CALENDAR_READ))]
Asking = Annotated[Query, Depends(asked)]


def search_schedules(request: Request, caller: Reader, query: Asking) -> FhirResponse:
    """Find whose time is booked."""
    caller.allow(SHARED)
    ids, active = set(query.values("_id")), set(query.values("active"))
    page = control(query, ("_id",))
    query.rest()
    systems = Systems(caller.parts.settings)
    with caller.parts.statements.connect() as connection:
        found = sorted(resources.listed(connection), key=lambda one: str(one.id))
    made = [schedule(one, systems) for one in found if not ids or str(one.id) in ids]
    shown = made if not active or "true" in active else []
    return FhirResponse(bundle(base(request), "Schedule", query, page, _page(shown, page)))


def read_schedule(caller: Reader, id: str) -> FhirResponse:  # noqa: A002 - FHIR's name of it
    """Return one Schedule."""
    caller.allow(SHARED)
    with caller.parts.statements.connect() as connection:
        try:
            found = resources.get(connection, uuid_or_none(id) or NOBODY)
        except UnknownError:
            raise not_found("Schedule") from None
    return FhirResponse(schedule(found, Systems(caller.parts.settings)))


def search_slots(request: Request, caller: Reader, query: Asking) -> FhirResponse:
    """Find times that are offered and not over, the earliest first."""
    caller.allow(SHARED)
    ids, of = query.values("_id"), query.one("schedule")
    if len(ids) > 1:
        raise wrong_value("_id", "give one id")
    when, states = query.span("start"), _states(query.values("status"))
    page = control(query, ("start",))
    query.rest()
    calendar = None if of is None else reference_id("schedule", "Schedule", of.value) or NOBODY
    wanted = Search(
        start=when.since,
        end=when.before,
        begins=True,
        resource=calendar,
        states=states,
        slot=(uuid_or_none(ids[0]) or NOBODY) if ids else None,
        after=uuid_or_none(page.cursor) if page.cursor else None,
        limit=page.count + 1,
    )
    never = when.since is not None and when.before is not None and when.before <= when.since
    with caller.parts.statements.connect() as connection:
        found = [] if never else [slot(one) for one in resources.offered(connection, wanted)]
    shown = [] if page.only_count else found[: page.count]
    after = str(shown[-1]["id"]) if shown and len(found) > len(shown) else None
    return FhirResponse(bundle(base(request), "Slot", query, page, Found(shown, after)))


def read_slot(caller: Reader, id: str) -> FhirResponse:  # noqa: A002 - FHIR's name of it
    """Return one Slot, one that is over too."""
    caller.allow(SHARED)
    wanted = Search(slot=uuid_or_none(id) or NOBODY, states=None, past=True)
    with caller.parts.statements.connect() as connection:
        found = resources.offered(connection, wanted)
    if not found:
        raise not_found("Slot")
    return FhirResponse(slot(found[0]))


def _states(asked_for: tuple[str, ...]) -> tuple[Offer, ...] | None:
    """Return our states of FHIR's; what is none of them finds nothing."""
    if not asked_for:
        return None
    return tuple(ours for ours, theirs in STATUSES.items() if theirs in asked_for)


def _page(found: list[Resource], page: Control) -> Found:
    left = [one for one in found if page.cursor is None or one["id"] > page.cursor]
    shown = [] if page.only_count else left[: page.count]
    more = len(left) > len(shown) and bool(shown)
    return Found(shown, shown[-1]["id"] if more else None, len(found))


def _responses(example: Resource, text: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {FHIR_JSON: {"example": example}}, "description": text}}


def _add_routes() -> None:
    routes = {"Schedule": (search_schedules, read_schedule), "Slot": (search_slots, read_slot)}
    for name, (search, read) in routes.items():
        answers = _responses({"resourceType": "Bundle", "type": "searchset"}, "Bundle of type searchset")
        add_search(router, name, search, described(PARAMETERS[name]), answers)
        router.add_api_route(
            f"/{name}/{{id}}",
            read,
            methods=["GET"],
            summary=f"Read one {name}",
            dependencies=[Depends(acceptable)],
            responses=_responses({"resourceType": name, "id": str(NOBODY)}, f"the {name}"),
        )


_add_routes()
