"""Figures of referrals, for those who run a hospital or the consortium."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, Field

from api.caller import Caller, gate
from consortium.access.model import GROUP, Action, Resource
from consortium.referral.figures import figures

router = APIRouter(prefix="/referrals", tags=["referrals"])
Reader = Annotated[Caller, Depends(gate(Action.REFERRAL_FIGURES_READ))]


class TimeInState(BaseModel):
    """How long referrals stayed in one state."""

    count: int
    median_seconds: float
    p95_seconds: float


class Figures(BaseModel):
    """Of the referrals that were begun in a time; no patient."""

    begun: int
    reached: dict[str, int] = Field(description="how many ever came to a state", examples=[{"accepted": 31}])
    reasons: dict[str, int] = Field(description="how many gave a criterion", examples=[{"critical": 12}])
    time_in_state: dict[str, TimeInState]
    acceptance: float | None = Field(description="accepted of those decided", examples=[0.94])
    closed_loops: float | None = Field(description="with an outcome, of those accepted", examples=[0.88])


@router.get("/figures", summary="Count referrals: how far, why, how long")
def show_figures(
    caller: Reader,
    since: Annotated[AwareDatetime, Query(description="begun from here on")],
    before: Annotated[AwareDatetime, Query(description="begun before this")],
    facility: Annotated[
        str | None, Query(max_length=20, description="campus code; without it, one's own")
    ] = None,
) -> Figures:
    """Return the figures of what one hospital sent and received; of all for those of the whole consortium."""
    wanted = facility or caller.user.organisation
    caller.allow(Resource(organisation=wanted))
    with caller.parts.statements.connect() as connection:
        found = figures(connection, None if wanted == GROUP else wanted, since, before)
    times = {
        state: TimeInState(count=span.count, median_seconds=span.median, p95_seconds=span.p95)
        for state, span in found.spans.items()
    }
    return Figures(
        begun=found.begun,
        reached=dict(found.reached),
        reasons=dict(found.reasons),
        time_in_state=times,
        acceptance=found.acceptance,
        closed_loops=found.closed_loops,
    )
