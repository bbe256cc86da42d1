"""Taking a step of a consultation: submit, assign, schedule … as docs/consultation-steps.md says."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Body, Depends, Header
from fastapi.openapi.models import Example
from starlette.concurrency import run_in_threadpool

from activities.consultations import stand
from api.caller import Caller, gate
from api.v1.consultation_shapes import Standing
from api.v1.consultations import found, persons
from consortium.access.model import Action
from consortium.teleconsult import store
from consortium.teleconsult.decide import Refusal, decide, open_steps
from consortium.teleconsult.details import Details
from consortium.teleconsult.errors import StepRefusedError
from consortium.teleconsult.model import Party, Step
from consortium.teleconsult.recording import facts, recorded
from workflows.teleconsult.model import Stand, Start, Take

router = APIRouter(prefix="/consultations", tags=["consultations"])
Actor = Annotated[Caller, Depends(gate(Action.CONSULTATION_STEP))]
REFUSED: dict[str, Any] = {
    "description": "the step is not open, or the time is taken; `state` and `open_steps` say what is",
    "content": {
        "application/problem+json": {
            "example": {
                "type": "urn:yilian:problem:not-from-this-state",
                "title": "Conflict",
                "status": 409,
                "detail": "cannot sign the opinion: the consultation is in the state “accepted”, where …",
                "detail_zh": "不能签发意见：该会诊当前状态为“已受理”，可执行：…",
                "state": "accepted",
                "open_steps": ["write"],
                "missing": [],
            }
        }
    },
}
EXAMPLES: dict[str, Example] = {
    "assign": {"summary": "指派专家", "value": {"experts": ["doctor.main"]}},
    "schedule": {"summary": "预留时间", "value": {"slots": ["0b0f7c1e-6f3c-4d7e-9a44-3f1d6a1c2b5e"]}},
    "return": {"summary": "退回补充", "value": {"note": "请补充冠脉造影影像"}},
    "write": {
        "summary": "书写意见",
        "value": {"opinion": {"findings": "三支病变", "opinion": "建议外科手术", "advice": "转上级医院"}},
    },
    "evaluate": {"summary": "评价", "value": {"rating": 5, "note": "及时、明确"}},
    "charge": {"summary": "登记费用", "value": {"fee": "300.00"}},
}


@router.post(
    "/{id}/steps/{step}",
    summary="Take a step of a consultation",
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
            description="the same again takes it once, or is refused as before; without it each is new",
        ),
    ] = None,
) -> Standing:
    """Take it, and answer once it is committed with its slots, room, notices and audit."""
    details, key = body or Details(), _key(caller, idempotency_key)
    row, party, before = await run_in_threadpool(_asked, caller, id, step, details, key)
    if before is not None:
        return _standing(id, before)
    request = Take(step=step, party=party, user=caller.user.username, details=details)
    start = Start(consultation_id=id, stand=stand(recorded(row)))
    try:
        taken = await caller.parts.take_consultation_step(caller.parts.settings, start, request, key)
    except StepRefusedError as error:
        await run_in_threadpool(_note_refusal, caller, row, step, error)
        raise
    return _standing(id, taken)


def _asked(
    caller: Caller, id_: UUID, step: Step, details: Details, key: str
) -> tuple[dict[str, Any], Party, Stand | None]:
    """Return the consultation, the caller's party, and how it stands where this very step was taken before.

    Raises StepRefusedError: what is refused by what is committed does not go to the workflow.
    """
    with caller.parts.statements.connect() as connection:
        row, party = found(caller, connection, id_)
        if store.known(connection, id_, key):
            return row, party, stand(recorded(row))
    standing = store.standing(row)
    answer = decide(standing, step, party, facts(row, party, caller.user.username, details))
    if isinstance(answer, Refusal):
        error = StepRefusedError(answer, standing.state, open_steps(standing, party))
        _note_refusal(caller, row, step, error)
        raise error
    return row, party, None


def _key(caller: Caller, key: str | None) -> str:
    """Return the key of a step: the user's own, so that it is nobody else's and none of the system's.

    A key that was refused is refused again, so what comes without one is new: another time may be free.
    """
    return f"{caller.user.username}:{key or uuid4()}"


def _note_refusal(caller: Caller, row: dict[str, Any], step: Step, error: StepRefusedError) -> None:
    caller.note_failure(f"{step} refused in the state {error.state}: {error.refusal.code}", persons(row))


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
