"""Files of a referral: what a hospital that is not integrated sends along, and reports that come back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from api.caller import Caller, gate
from api.failures import Failure, FailureError, not_found
from api.v1.referrals import Key, found, named
from consortium.access.model import Action
from consortium.referral import attachments
from consortium.referral.attachments import KINDS, Attachment
from consortium.referral.model import FINAL, Party, State

router = APIRouter(prefix="/referrals", tags=["referrals"])
Reader = Annotated[Caller, Depends(gate(Action.REFERRAL_READ))]
Writer = Annotated[Caller, Depends(gate(Action.REFERRAL_WRITE))]
Name = Annotated[
    str,
    Query(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f/\\]+$",
        description="file name, as people read it",
        examples=["心电图.pdf"],
    ),
]


class Attached(BaseModel):
    """One file, without what it holds."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "7c1f3f57-8a0e-4c55-9f0d-0f6d4f2f2a11",
                    "name": "心电图.pdf",
                    "mime_type": "application/pdf",
                    "size": 183204,
                    "party": "sending_doctor",
                    "username": "doctor.lianmeng",
                    "at": "2026-11-20T09:30:00+08:00",
                }
            ]
        }
    )

    id: UUID
    name: str
    mime_type: str
    size: int
    party: Party
    username: str
    at: datetime


async def _sent(request: Request) -> tuple[str, bytes]:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower(), await request.body()


Sent = Annotated[tuple[str, bytes], Depends(_sent)]
_FILES = {kind: {"schema": {"type": "string", "contentMediaType": kind}} for kind in KINDS}


@router.post(
    "/{id}/attachments",
    status_code=201,
    summary="Attach a file",
    openapi_extra={"requestBody": {"required": True, "content": _FILES}},
)
def attach(
    caller: Writer,
    sent: Sent,
    id: UUID,  # noqa: A002 - the path's name of it
    name: Name,
    idempotency_key: Key,
) -> Attached:
    """Attach a PDF, JPEG or PNG of at most 20 MiB: the body is the file, `Content-Type` says its kind."""
    mime_type, data = sent
    with caller.parts.engine.begin() as connection:
        row, party = found(caller, connection, id)
        if State(row["state"]) in FINAL:
            raise FailureError(Failure(409, "over", "the referral is over: reopen it before you add to it"))
        one = Attachment(
            id=named(caller, idempotency_key, f"attachment {id}"),
            name=name,
            mime_type=mime_type,
            data=data,
            party=party,
            username=caller.user.username,
        )
        attachments.add(connection, id, one, caller.parts.now())
        kept = attachments.get(connection, id, one.id)
        caller.note_in(connection, "file attached", _persons(row))
    assert kept is not None  # noqa: S101 - it was written above
    return _shown(kept)


@router.get("/{id}/attachments", summary="List the files of a referral")
def list_attachments(caller: Reader, id: UUID) -> list[Attached]:  # noqa: A002 - the path's name of it
    """Return them without what they hold, the first one first."""
    with caller.parts.statements.connect() as connection:
        row, _ = found(caller, connection, id)
        rows = attachments.listed(connection, id)
    caller.note("files listed", _persons(row))
    return [_shown(one) for one in rows]


@router.get(
    "/{id}/attachments/{attachment}",
    summary="Read a file of a referral",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in KINDS}, "description": "the file as it was sent"}},
)
def read_attachment(caller: Reader, id: UUID, attachment: UUID) -> Response:  # noqa: A002 - the path's name
    """Return the bytes, to be saved and not to be run in the page."""
    with caller.parts.statements.connect() as connection:
        row, _ = found(caller, connection, id)
        one = attachments.get(connection, id, attachment)
        if one is None:
            raise not_found("attachment")
        data = attachments.content(connection, one)
    caller.note("file read", _persons(row))
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(one['name'])}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(data, media_type=one["mime_type"], headers=headers)


def _shown(row: dict[str, Any]) -> Attached:
    return Attached(**{name: row[name] for name in Attached.model_fields})


def _persons(row: dict[str, Any]) -> list[UUID]:
    return [row["person_id"]] if row["person_id"] else []
