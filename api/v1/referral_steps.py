"""Taking a step of a referral: submit, accept, book … as the table of docs/referral-steps.md says."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Body, Depends, Header
from fastapi.openapi.models import Example
from starlette.concurrency import run_in_threadpool

from activities.referrals import stand
from api.caller import Caller, gate
from api.v1.referral_shapes import Standing
from api.v1.referrals import found
from consortium.access.model import Action
from consortium.referral import store
from consortium.referral.decide import Refusal, decide
from consortium.referral.details import Details
from consortium.referral.errors import StepRefusedError
from consortium.referral.model import Party, Step
from consortium.referral.recording import facts, open_to, recorded
from workflows.referral.model import Stand, Start, Take

router = APIRouter(prefix="/referrals", tags=["referrals"])
Actor = Annotated[Caller, Depends(gate(Action.REFERRAL_STEP))]
REFUSED = {
    "description": "the step is not open; `state` and `open_steps` say what is",
    "content": {
        "application/problem+json": {
            "example": {
                "type": "urn:yilian:problem:not-from-this-state",
                "title": "Conflict",
                "status": 409,
                "detail": "cannot accept: the referral is in the state “submitted”, where one can:"
                " take up for review, …",
                "detail_zh": "不能接收：该转诊当前状态为“已提交”，可执行：受理、…",
                "state": "submitted",
                "open_steps": ["take", "request_cancel", "delegate"],
                "missing": [],
            }
        }
    },
}

EXAMPLES: dict[str, Example] = {
    "accept": {"summary": "接收", "value": {"department": "0101", "bed": "3-12"}},
    "book": {
        "summary": "预约",
        "value": {"slot_start": "2026-11-27T09:00:00+08:00", "slot_end": "2026-11-27T09:30:00+08:00"},
    },
    "book a slot": {
        "summary": "预约号源",
        "value": {"slot_id": "0c5e0000-0000-4000-8000-000000000001"},
    },
    "return_for_info": {"summary": "退回补充", "value": {"note": "请补充冠脉造影报告"}},
    "refer_onward": {"summary": "转荐他院", "value": {"hospital": "HY", "note": "本院无空床"}},
    "return_outcome": {
        "summary": "回传结果",
        "value": {
            "note": "已行 PCI，恢复良好，建议双抗治疗一年",
            "follow_up_at": "2027-02-25T09:00:00+08:00",
        },
    },
    "delegate": {"summary": "委派", "value": {"delegate": "coordinator.second"}},
}


@router.post(
    "/{id}/steps/{step}",
    summary="Take a step",
    responses={
        403: {"description": "the step is for somebody else; `detail` says for whom"},
        409: REFUSED,
        503: {"description": "the workflow engine does not answer; send the same again"},
    },
)
async def take(
    caller: Actor,
    id: UUID,  # noqa: A002 - the path's name of it
    step: Step,
    body: Annotated[Details | None, Body(openapi_examples=EXAMPLES)] = None,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=100,
            description="the same again takes it once, or is refused as before; without it, by user, step and"
            " number, and one that names a slot is new each time",
        ),
    ] = None,
) -> Standing:
    """Take it, and answer once it is committed with its notices and audit."""
    details = body or Details()
    row, party, before = await run_in_threadpool(_asked, caller, id, step, details, idempotency_key)
    if before is not None:
        return _standing(id, before)
    request = Take(step=step, party=party, user=caller.user.username, details=details)
    start = Start(referral_id=id, stand=stand(recorded(row)))
    try:
        taken = await caller.parts.take_step(
            caller.parts.settings, start, request, _key(caller, row, step, details, idempotency_key)
        )
    except StepRefusedError as error:
        await run_in_threadpool(_note_refusal, caller, row, step, error)
        raise
    return _standing(id, taken)


def _asked(
    caller: Caller, id_: UUID, step: Step, details: Details, key: str | None
) -> tuple[dict[str, Any], Party, Stand | None]:
    """Return the referral, the caller's party, and how it stands where this very step was taken before.

    Raises StepRefusedError: what is refused by what is committed does not go to the workflow.
    """
    with caller.parts.statements.connect() as connection:
        row, party = found(caller, connection, id_)
        if store.known(connection, id_, _key(caller, row, step, details, key)):
            return row, party, stand(recorded(row))
        standing = store.standing(row)
        answer = decide(standing, step, party, facts(connection, row, details))
        steps = open_to(connection, row, party)
    if isinstance(answer, Refusal):
        error = StepRefusedError(answer, standing.state, steps)
        _note_refusal(caller, row, step, error)
        raise error
    return row, party, None


def _key(caller: Caller, row: dict[str, Any], step: Step, details: Details, key: str | None) -> str:
    """Return the key of a step: the user's own, so that it is nobody else's and none of the system's.

    A key that was refused is refused again. So what names a slot and comes without a key is new: the slot may
    be free by now.
    """
    new = uuid4().hex if details.slot_id else f"after-{row['number']}"
    return f"{caller.user.username}:{key or f'{step}-{new}'}"


def _note_refusal(caller: Caller, row: dict[str, Any], step: Step, error: StepRefusedError) -> None:
    persons = [row["person_id"]] if row["person_id"] else []
    caller.note_failure(f"{step} refused in the state {error.state}: {error.refusal.code}", persons)


def _standing(id_: UUID, now: Stand) -> Standing:
    place = now.standing.place
    return Standing(
        id=id_,
        state=place.state,
        number=now.number,
        owner=place.owner,
        owner_facility=now.owner_facility,
        deadline_at=now.deadline_at,
        escalation_level=now.level,
    )
