"""The one application: `create_app(settings)`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import Lifespan

from api import docs, handlers, metrics, uploads
from api.database import engine
from api.edge import Edge
from api.fhir import router as fhir
from api.limits import ORDINARY, BodyLimit
from api.platform import Platform
from api.v1 import alerts, audit, critical_values, forms, health, messages, replays, sign_in, systems
from bus.heartbeat import beat
from bus.tending import tending
from consortium.access.tokens import checked_key
from runtime.settings import Settings
from runtime.tended import tended

DESCRIPTION = """医疗联合体集成总线的接口。 The API of a medical consortium's integration bus.

Sign in with `POST /api/v1/sign-in`, or take a token from `./yilian token --user NAME`, and press
**Authorize**. Every route asks who you are (role, organisation) and why (`X-Purpose-Of-Use`), denies what
nothing allows, and puts reads of patients, refusals and changes in the audit. Errors are problem details
(RFC 9457); under `/fhir` they are OperationOutcome.
"""
TAGS = [
    {"name": "sign-in", "description": "Tokens, and who one is"},
    {"name": "messages", "description": "Where is message X, why is it held, send it on"},
    {"name": "systems", "description": "服务注册: who sends what, and whether they still do"},
    {"name": "alerts", "description": "告警: what is wrong with the bus"},
    {"name": "critical values", "description": "危急值: what must be known at once, and who took note"},
    {"name": "audit", "description": "Who read whom, who was refused what"},
    {
        "name": "upload",
        "description": "What a campus's programs send (REST); SOAP is at `/soap/<interface>?wsdl`",
    },
    {"name": "fhir", "description": "HL7 FHIR R4 (4.0.1), read and search"},
    {"name": "platform", "description": "The state of this process"},
]
UPLOADS = ("/soap/", "/api/v1/upload/")
"""Where the adapters hold the body to their own limit, and keep what they refuse."""


def create_app(settings: Settings) -> FastAPI:
    """Build the application from its settings. Raises PermanentError naming a setting that is missing."""
    checked_key(settings.token_key)
    parts, doorway = Platform(settings, engine(settings)), uploads.Doorway()
    app = FastAPI(
        title="医联 Yilian",
        version="1",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan(parts, doorway),
    )
    app.state.platform = parts
    app.state.metrics = metrics.Kept()
    handlers.install(app)
    app.include_router(docs.router)
    for part in (health, sign_in, replays, messages, forms, alerts, systems, critical_values, audit):
        app.include_router(part.router, prefix="/api/v1")
    app.include_router(metrics.router)
    app.include_router(fhir.router)
    uploads.mount(app, parts, doorway)
    app.add_middleware(BodyLimit, limit=_limit)
    app.add_middleware(Edge)
    return app


def _limit(path: str) -> int | None:
    return None if path.startswith(UPLOADS) else ORDINARY


def _lifespan(parts: Platform, doorway: uploads.Doorway) -> Lifespan[FastAPI]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        beating = asyncio.create_task(beat(parts.settings.database_url, "api"), name="heartbeat")
        try:
            with tending(tended(parts.settings)):
                async with uploads.opened(parts, doorway):
                    yield
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            parts.engine.dispose()

    return lifespan
