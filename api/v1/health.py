"""Whether this process can serve: its database answers."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from sqlalchemy import text

from api.platform import Platform, platform

router = APIRouter(tags=["platform"])


class Health(BaseModel):
    """Given only when healthy; otherwise 503."""

    healthy: Literal[True]


@router.get("/health", summary="Is the API able to serve?")
def health(parts: Annotated[Platform, Depends(platform)]) -> Health:
    """Ask the database something. Answers 503 when it does not reply."""
    with parts.statements.connect() as connection:
        connection.execute(text("SELECT 1"))
    return Health(healthy=True)
