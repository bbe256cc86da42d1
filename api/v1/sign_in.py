"""Signing in, and who one is then."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from api.caller import Caller, gate
from api.platform import Platform, peer, platform, request_id
from consortium.access import sign_in, tokens
from consortium.access.model import Action, User

AT_ONCE = 2
"""Sign-ins at the same time: each takes 64 MiB and a processor for a moment."""

router = APIRouter(tags=["sign-in"])
_LIMITER = CapacityLimiter(AT_ONCE)


class SignIn(BaseModel):
    """User name and password."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"username": "doctor.main", "password": "…"}]}
    )

    username: str = Field(min_length=1, max_length=100)
    password: str = Field(min_length=1, max_length=1024, repr=False)


class Token(BaseModel):
    """A bearer token, as RFC 6749 section 5.1 spells it."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the kind of token
    expires_in: int = Field(description="seconds", examples=[900])


class Me(BaseModel):
    """The caller's own account."""

    username: str = Field(examples=["doctor.main"])
    display_name: str = Field(examples=["院本部医生"])
    role: str = Field(examples=["doctor"])
    organisation: str = Field(description="campus code, or GROUP", examples=["MAIN"])
    person_id: UUID | None = Field(description="the golden person, where the caller is a patient")
    permissions: list[str]


@router.post(
    "/sign-in",
    summary="Sign in with user name and password",
    responses={
        401: {"description": "wrong name or password"},
        429: {"description": "too many failures; see Retry-After"},
    },
)
async def sign_in_with_password(
    request: Request, body: SignIn, parts: Annotated[Platform, Depends(platform)]
) -> Token:
    """Return a bearer token that lives 15 minutes. Failures are counted, and make one wait."""

    def check() -> User:
        return sign_in.by_password(
            parts.engine, body.username, body.password, peer(request), request_id(request), parts.now()
        )

    user = await run_sync(check, limiter=_LIMITER)
    token = tokens.issue(user.username, parts.settings.token_key, parts.now())
    return Token(access_token=token, expires_in=int(tokens.LIFETIME.total_seconds()))


@router.get("/me", summary="Who am I?")
def me(caller: Annotated[Caller, Depends(gate(Action.ME_READ))]) -> Me:
    """Return the caller's account, role and organisation as they are now."""
    user = caller.user
    return Me(
        username=user.username,
        display_name=user.display_name,
        role=user.role.value,
        organisation=user.organisation,
        person_id=user.person_id,
        permissions=sorted(permission.value for permission in user.permissions),
    )
