"""Referring a patient back down after the care, as a referral of its own that goes on from this one."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from fastapi import APIRouter

from api.failures import Failure, FailureError
from api.v1.referral_shapes import BackDown, Shown
from api.v1.referrals import Key, Writer, approvals_of, begun, found, named
from consortium.access.model import Resource
from consortium.referral import linked
from consortium.referral.filling import Filled, fill
from consortium.referral.form import Form
from consortium.referral.model import Side, State

router = APIRouter(prefix="/referrals", tags=["referrals"])


@router.post("/{id}/down", status_code=201, summary="Refer the patient back down (下转)")
def back_down(
    caller: Writer,
    id: UUID,  # noqa: A002 - the path's name of it
    body: BackDown,
    idempotency_key: Key,
) -> Shown:
    """Begin a draft from the receiving hospital to the sending one, with discharge summary and rehabilitation
    plan, filled from the records of the stay; the patient's consent is to be recorded for it.
    """
    caller.allow(Resource(organisation=caller.user.organisation))
    child = named(caller, idempotency_key, f"down {id}")
    with caller.parts.engine.begin() as connection:
        row, party = found(caller, connection, id)
        if party.side is not Side.RECEIVING:
            raise FailureError(Failure(403, "not-yours", "the receiving hospital refers back down"))
        if State(row["state"]) not in linked.DOWN_FROM:
            raise FailureError(
                Failure(409, "not-from-this-state", f"the patient is not in care: {row['state']}")
            )
        visit = row["arrival_encounter"]
        filled = fill(connection, row["receiving_facility"], visit) if visit else Filled()
        form = _form(Form.model_validate(row["form"]), filled.form, body)
        application = linked.back_down(row, child, form, filled.patient_id, caller.user.username)
        whole = replace(
            application,
            criteria=tuple(body.criteria),
            documents=filled.documents,
            approvals=approvals_of(caller, row["receiving_facility"]),
        )
        return begun(caller, connection, whole)


def _form(parent: Form, stay: Form, body: BackDown) -> Form:
    """Return the form: who the patient is and the stay as the records have it, then what the request says."""
    known = {name: value for name in Form.model_fields if (value := getattr(stay, name))}
    said = {
        "reason": body.reason,
        "discharge_summary": body.discharge_summary,
        "rehabilitation_plan": body.rehabilitation_plan,
    }
    return parent.model_copy(update={"requires": (), "subject": "", **known, **said})
