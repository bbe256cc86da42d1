"""A referral (转诊) until it is over: people take steps, and nothing is forgotten in between."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from math import ceil

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows import attributes

with workflow.unsafe.imports_passed_through():
    from consortium.referral.deadlines import lapse
    from consortium.referral.decide import Refusal, decide, open_steps
    from consortium.referral.details import RECORDED, Details
    from consortium.referral.model import Party, Step
    from workflows.referral import steps
    from workflows.referral.model import (
        Arrived,
        Closing,
        Recording,
        Reminding,
        Stand,
        Start,
        Take,
    )

REOPENING = timedelta(minutes=1)


@workflow.defn(name="referral")
class Referral:
    """One referral. Updates: `take`. Signals: `arrived`. Reads come from PostgreSQL."""

    @workflow.init
    def __init__(self, start: Start) -> None:
        """Stand where PostgreSQL says."""
        self._start = start
        self._stand = start.stand
        self._reminded = start.reminded
        self._arrivals: list[Arrived] = []
        self._taken = 0
        self._step = asyncio.Lock()

    @workflow.run
    async def run(self, start: Start) -> Closing:
        """Wait for people; remind, escalate and lapse when they let a deadline pass."""
        self._show()
        if start.stand.standing.final:
            await self._reopened(start.stand.number)
        while not self._over():
            await self._something_happens()
            await self._note_arrivals()
            if self._due():
                await self._deadline_passed()
            if self._long_enough:
                await workflow.wait_condition(workflow.all_handlers_finished)
                if not self._over() and not self._arrivals:
                    workflow.continue_as_new(self._go_on(start))
        return Closing(state=self._stand.standing.state, number=self._stand.number)

    @workflow.update
    async def take(self, request: Take) -> Stand:
        """Take a step, and return how the referral stands once that is committed."""
        async with self._step:
            self._refuse(request)
            return await self._record(request.step, request.party, request.user, request.details, self._key())

    @take.validator
    def _may_take(self, request: Take) -> None:
        """Refuse at once, without a trace; while a step is under way, the handler decides after it."""
        if not self._step.locked():
            self._refuse(request)

    @workflow.signal
    def arrived(self, event: Arrived) -> None:
        """Hear that the patient is there; noted by the main line, in turn."""
        self._arrivals.append(event)

    def _over(self) -> bool:
        """Whether nobody owes anything, not even to follow up, and nobody is waiting for an answer."""
        done = self._stand.standing.final and self._stand.follow_up_at is None
        return done and workflow.all_handlers_finished()

    @property
    def _long_enough(self) -> bool:
        return workflow.info().is_continue_as_new_suggested() or self._taken >= self._start.most

    def _go_on(self, start: Start) -> Start:
        return start.model_copy(update={"stand": self._stand, "reminded": self._reminded})

    def _refuse(self, request: Take) -> None:
        """Refuse what the table does not allow; what the records must hold, the activity checks."""
        standing = self._stand.standing
        answer = decide(standing, request.step, request.party, request.details.has() | RECORDED)
        if isinstance(answer, Refusal):
            open_ = [step.value for step in open_steps(standing, request.party)]
            raise ApplicationError(
                answer.why.en, answer.why.zh, standing.state.value, open_, answer.code, type="Refused"
            )

    @staticmethod
    def _key() -> str:
        update = workflow.current_update_info()
        return update.id if update else str(workflow.uuid4())

    async def _reopened(self, number: int) -> None:
        """Give whoever started a referral again that was over the time to reopen it."""
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._stand.number != number, timeout=REOPENING)

    async def _something_happens(self) -> None:
        """Wait until a step was taken, the patient came, or a moment of the deadline is there."""
        moment, number = self._moment(), self._stand.number
        # Whole seconds: a server counts in milliseconds, and a timer that ends too soon would be set again.
        left = max(0, ceil((moment - workflow.now()).total_seconds())) if moment else None
        try:
            await workflow.wait_condition(
                lambda: self._over() or bool(self._arrivals) or self._stand.number != number,
                timeout=left,
                timeout_summary=f"{self._stand.standing.place.deadline} of step {number}",
            )
        except TimeoutError:
            return

    def _moment(self) -> datetime | None:
        """Return when somebody is to be reminded, when the deadline is over, or when to follow up."""
        if self._stand.standing.final:
            return self._stand.follow_up_at
        return self._stand.deadline_at if self._reminded else self._stand.remind_at

    def _due(self) -> bool:
        moment = self._moment()
        return moment is not None and workflow.now() >= moment

    async def _deadline_passed(self) -> None:
        async with self._step:
            if not self._due():  # somebody took the step while this waited for its turn
                return
            if self._stand.standing.final:
                self._become(await self._told(steps.FOLLOW_UP, "follow up"))
            elif self._reminded:
                await self._lapse()
            else:
                self._reminded = True
                await self._told(steps.REMIND, "remind whoever owes the next step")

    async def _told(self, activity: str, summary: str) -> Stand:
        order = Reminding(referral_id=self._start.referral_id, number=self._stand.number)
        return await steps.perform(activity, order, summary)

    async def _lapse(self) -> None:
        kind = self._stand.standing.place.deadline
        if kind is not None:
            await self._take_itself(lapse(kind, self._stand.level), Details())

    async def _note_arrivals(self) -> None:
        while self._arrivals:
            async with self._step:
                event = self._arrivals.pop(0)
                if Step.ARRIVE in open_steps(self._stand.standing, Party.SYSTEM):
                    await self._take_itself(Step.ARRIVE, Details(encounter=event.encounter))

    async def _take_itself(self, step: Step, details: Details) -> None:
        """Take a step for the system; its key is the number of the step before."""
        await self._record(step, Party.SYSTEM, None, details, f"{step}-after-{self._stand.number}")

    async def _record(self, step: Step, party: Party, user: str | None, details: Details, key: str) -> Stand:
        recording = Recording(
            referral_id=self._start.referral_id,
            key=key,
            step=step,
            party=party,
            user=user,
            details=details,
            at=workflow.now(),
        )
        self._become(await steps.perform(steps.RECORD, recording, f"record {step}"))
        return self._stand

    def _become(self, stand: Stand) -> None:
        """Stand as PostgreSQL says: the one place where it changes."""
        self._reminded = self._reminded and stand.deadline_at == self._stand.deadline_at
        self._stand = stand
        self._taken += 1
        self._show()

    def _show(self) -> None:
        """Tell ops by search attributes: codes, states and times only."""
        stand = self._stand
        workflow.upsert_search_attributes(
            [
                attributes.STATE.value_set(stand.standing.state.value),
                attributes.LEVEL.value_set(stand.level),
                attributes.FACILITY.value_set(stand.owner_facility)
                if stand.owner_facility
                else attributes.FACILITY.value_unset(),
                attributes.DEADLINE.value_set(stand.deadline_at)
                if stand.deadline_at
                else attributes.DEADLINE.value_unset(),
            ]
        )
