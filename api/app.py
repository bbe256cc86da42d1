"""The one application: `create_app(settings)`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api import docs, handlers
from api.database import engine
from api.edge import Edge
from api.fhir import router as fhir
from api.limits import ORDINARY, BodyLimit
from api.platform import Platform
from api.v1 import audit, critical_values, health, sign_in
from consortium.access.tokens import checked_key
from runtime.settings import Settings

DESCRIPTION = """医疗联合体集成总线的接口。 The API of a medical consortium's integration bus.

Sign in with `POST /api/v1/sign-in`, or take a token from `./yilian token --user NAME`, and press
**Authorize**. Every route asks who you are (role, organisation) and why (`X-Purpose-Of-Use`), denies what
nothing allows, and puts reads of patients, refusals and changes in the audit. Errors are problem details
(RFC 9457); under `/fhir` they are OperationOutcome.
"""
TAGS = [
    {"name": "sign-in", "description": "Tokens, and who one is"},
    {"name": "messages", "description": "Where is message X, why is it held, send it on"},
    {"name": "critical values", "description": "危急值: what must be known at once, and who took note"},
    {"name": "audit", "description": "Who read whom, who was refused what"},
    {"name": "fhir", "description": "HL7 FHIR R4 (4.0.1), read and search"},
    {"name": "platform", "description": "The state of this process"},
]
UPLOADS = ("/soap", "/api/v1/upload")
"""Where bodies may be as large as a message."""


def create_app(settings: Settings) -> FastAPI:
    """Build the application from its settings. Raises PermanentError naming a setting that is missing."""
    checked_key(settings.token_key)
    app = FastAPI(
        title="医联 Yilian",
        version="1",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.platform = Platform(settings, engine(settings))
    handlers.install(app)
    app.include_router(docs.router)
    for part in (health, sign_in, critical_values, audit):
        app.include_router(part.router, prefix="/api/v1")
    app.include_router(fhir.router)

    def limit(path: str) -> int:
        return settings.body_limit if path.startswith(UPLOADS) else ORDINARY

    app.add_middleware(BodyLimit, limit=limit)
    app.add_middleware(Edge)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    parts = app.state.platform
    assert isinstance(parts, Platform)  # noqa: S101 - narrows Any; create_app sets it
    parts.engine.dispose()
