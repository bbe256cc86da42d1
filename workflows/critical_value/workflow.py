"""A critical value (危急值) until somebody takes note of it: tell, wait, escalate, record."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows import attributes

with workflow.unsafe.imports_passed_through():
    from workflows.critical_value import steps
    from workflows.critical_value.model import (
        LADDER,
        Acknowledge,
        Acknowledged,
        Acknowledging,
        Closing,
        Notice,
        Standing,
        Start,
        State,
        Withdrawn,
    )


@workflow.defn(name="critical_value")
class CriticalValue:
    """One critical value. Updates: `acknowledge`. Signals: `withdrawn`. Reads come from PostgreSQL."""

    @workflow.init
    def __init__(self, start: Start) -> None:
        """Begin with nobody told."""
        self._start = start
        self._state: State = "open"
        self._level = 0
        self._acknowledged: Acknowledged | None = None
        self._step = asyncio.Lock()

    @workflow.run
    async def run(self, start: Start) -> Closing:
        """Tell the ordering doctor; go up the ladder until it is acknowledged or the result is taken back."""
        await self._tell_ordering_doctor()
        while await self._unanswered(start.deadline(self._level)):
            await self._escalate()
        if self._state == "withdrawn":
            await self._tell_withdrawn()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._closing()

    @workflow.update
    async def acknowledge(self, request: Acknowledge) -> Acknowledged:
        """Record that a person takes note, and return the record once it is committed."""
        await workflow.wait_condition(lambda: self._state != "open")
        async with self._step:
            self._refuse_closed()
            acknowledging = Acknowledging(
                critical_value_id=self._start.critical_value_id,
                workflow_id=workflow.info().workflow_id,
                user=request.user,
                note=request.note,
                key=self._update_id(),
            )
            recorded = await steps.perform(
                steps.ACKNOWLEDGE, acknowledging, Acknowledged, "record the acknowledgement"
            )
            self._acknowledged = recorded
            self._become("acknowledged")
            return recorded

    @acknowledge.validator
    def _may_acknowledge(self, request: Acknowledge) -> None:
        del request
        self._refuse_closed()

    @workflow.signal
    def withdrawn(self, event: Withdrawn) -> None:
        """Take back: the result was corrected or cancelled, and PostgreSQL says so already."""
        del event
        if not self._closed:
            self._become("withdrawn")

    @property
    def _closed(self) -> bool:
        return self._state in ("acknowledged", "withdrawn")

    def _refuse_closed(self) -> None:
        if self._closed:
            raise ApplicationError(f"already {self._state}", type="Conflict", non_retryable=True)

    @staticmethod
    def _update_id() -> str:
        update = workflow.current_update_info()
        return update.id if update else ""

    def _become(self, state: State) -> None:
        """Change the state: the one place where it happens."""
        self._state = state
        workflow.upsert_search_attributes(
            [attributes.STATE.value_set(state), attributes.LEVEL.value_set(self._level)]
        )

    async def _tell_ordering_doctor(self) -> None:
        async with self._step:
            self._adopt(await self._tell(steps.NOTIFY, "tell the ordering doctor"))

    async def _unanswered(self, deadline: timedelta | None) -> bool:
        """Wait for an end; return True when the deadline passed first."""
        if deadline is not None:
            workflow.upsert_search_attributes([attributes.DEADLINE.value_set(workflow.now() + deadline)])
        try:
            await workflow.wait_condition(
                lambda: self._closed, timeout=deadline, timeout_summary=f"deadline of level {self._level}"
            )
        except TimeoutError:
            return True
        return False

    async def _escalate(self) -> None:
        async with self._step:
            if self._closed:  # while waiting for a step under way
                return
            self._level += 1
            self._adopt(await self._tell(steps.ESCALATE, f"escalate to {LADDER[self._level]}"))

    async def _tell_withdrawn(self) -> None:
        async with self._step:
            await self._tell(steps.TELL_WITHDRAWN, "tell everybody told that it is taken back")

    async def _tell(self, activity: str, summary: str) -> Standing:
        notice = Notice(
            critical_value_id=self._start.critical_value_id,
            facility=self._start.facility,
            workflow_id=workflow.info().workflow_id,
            level=self._level,
            duty=LADDER[self._level],
        )
        return await steps.perform(activity, notice, Standing, summary)

    def _adopt(self, standing: Standing) -> None:
        """Follow PostgreSQL, unless a withdrawal came while it was being asked."""
        if not self._closed:
            self._become(standing.state)

    def _closing(self) -> Closing:
        return Closing(state=self._state, level=self._level, acknowledged=self._acknowledged)
