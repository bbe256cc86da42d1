"""Settings of workflows that start by the clock."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, StringConstraints, field_validator

from runtime.mllp import Closed

_FIELD = r"[0-9A-Za-z*/,-]+"
_CRON = re.compile(rf"{_FIELD}( {_FIELD}){{4}}")


class WorkflowSchedule(Closed):
    """One workflow, started again and again; reviewed like every other setting."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,40}$")] = Field(
        description="the schedule's id in Temporal is yilian-<name>; no patient in it"
    )
    workflow: str = Field(description="type of the workflow, such as follow_up")
    cron: str = Field(description="minute hour day month weekday, such as 30 7 * * MON-FRI")
    time_zone: str = Field(default="Asia/Shanghai", description="IANA name in which cron is meant")
    argument: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="what the workflow is given; encrypted on its way"
    )
    overlap: Literal["skip", "buffer_one"] = Field(
        default="skip", description="when the one before still runs: leave this one out, or start it after"
    )
    catch_up_minutes: int = Field(
        default=60, ge=1, description="how late it is started still, after Temporal was away"
    )
    paused: bool = False

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, cron: str) -> str:
        if not _CRON.fullmatch(cron):
            raise ValueError("write five fields, minute hour day month weekday, such as 30 7 * * MON-FRI")
        return cron

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{name} is no time zone: write one such as Asia/Shanghai") from error
        return name


def check(schedules: Sequence[WorkflowSchedule]) -> None:
    """Raise ValueError for schedules that do not go together."""
    names = [one.name for one in schedules]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"workflow_schedules: two are named {', '.join(twice)}")
