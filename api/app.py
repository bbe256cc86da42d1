"""The one application: `create_app(settings)`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import Lifespan

from api import docs, handlers, metrics, referral_page, uploads, video_page
from api.database import engine
from api.edge import Edge
from api.fhir import feed, match, pix, schedules, terminology, validating
from api.fhir import referrals as fhir_referrals
from api.fhir import router as fhir
from api.fhir import write_router as fhir_writes
from api.fhir.export import routes as export
from api.fhir.export.work import exporting
from api.fhir.mhd import router as mhd
from api.limits import ORDINARY, RULE_SETS, BodyLimit
from api.pixpdq import routes as pixpdq
from api.platform import Platform
from api.temporal_door import PREFIX as CODEC
from api.temporal_door import UiDoor, ui_origin
from api.v1 import (
    absences,
    alerts,
    audit,
    calendar_bookings,
    calendar_feeds,
    calendars,
    codes,
    consultation_steps,
    consultations,
    critical_values,
    destinations,
    documents,
    forms,
    health,
    identity,
    master_data,
    messages,
    notification_contacts,
    notification_stream,
    notifications,
    recognition,
    referral_attachments,
    referral_figures,
    referral_linked,
    referral_papers,
    referral_steps,
    referral_stream,
    referrals,
    replays,
    retention,
    rule_trials,
    rules,
    sign_in,
    subscribers,
    systems,
    temporal_codec,
    video,
    video_webhook,
    workflows,
)
from api.video_closing import closing
from api.xds import routes as xds
from bus.campuses.following import following
from bus.heartbeat import beat
from bus.tending import tending
from consortium.access.tokens import checked_key
from consortium.referral import attachments
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
    {"name": "rules", "description": "Versions of the rule set: deploy, take back, try on stored messages"},
    {"name": "destinations", "description": "Other systems: pause, drain, and what did not reach them"},
    {"name": "records", "description": "Mutual recognition: which results spare a repeat"},
    {"name": "codes", "description": "Codes that no table knows, and what they mean"},
    {
        "name": "master data",
        "description": "主数据: departments, staff, beds, items, drugs, diagnoses",
    },
    {"name": "systems", "description": "服务注册: who sends what, and whether they still do"},
    {"name": "alerts", "description": "告警: what is wrong with the bus"},
    {"name": "critical values", "description": "危急值: what must be known at once, and who took note"},
    {
        "name": "calendars",
        "description": "排班与预约: times of experts, clinics, beds and rooms; working time",
    },
    {"name": "notifications", "description": "通知: what is for me, and what did not reach people"},
    {"name": "referrals", "description": "双向转诊: apply, assess, book, carry through, return the outcome"},
    {
        "name": "consultations",
        "description": "远程会诊: request, assign, meet, sign the opinion",
    },
    {
        "name": "workflows",
        "description": "工作流: what runs, and what it carries, for the Temporal UI",
    },
    {"name": "documents", "description": "共享文档: clinical documents as pages, and found by their text"},
    {"name": "identity", "description": "患者主索引: who is who, reviews, ledger, register once"},
    {"name": "video", "description": "远程会诊视频: rooms, the waiting room, links, who was there"},
    {"name": "audit", "description": "Who read whom, who was refused what"},
    {
        "name": "upload",
        "description": "What a campus's programs send (REST); SOAP is at `/soap/<interface>?wsdl`",
    },
    {"name": "fhir", "description": "HL7 FHIR R4 (4.0.1): read, search, write, and $translate"},
    {"name": "mhd", "description": "Shared documents over FHIR (IHE MHD 4.2); over SOAP they are at `/xds`"},
    {"name": "platform", "description": "The state of this process"},
]
FILES = "/api/v1/master-data/"
"""Where people send whole files."""
LARGEST_FILE = 16 * 1024 * 1024
"""Bytes."""
REFERRALS = "/api/v1/referrals/"
UPLOADS = ("/soap/", "/api/v1/upload/", "/xds/", "/pix/", "/pdq/")
"""Where the adapters hold the body to their own limit, and answer by what they refuse."""


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
    app.include_router(video_page.router)
    app.include_router(referral_page.router)
    # subscribers before master_data, which would take that word for a kind
    v1 = (
        health,
        sign_in,
        replays,
        messages,
        forms,
        rules,
        rule_trials,
        destinations,
        codes,
        subscribers,
        master_data,
        alerts,
        systems,
        retention,
        critical_values,
        calendars,
        calendar_bookings,
        calendar_feeds,
        absences,
        notifications,
        notification_contacts,
        notification_stream,
        referral_figures,  # before referrals, which would take that word for an id
        referrals,
        referral_attachments,
        referral_linked,
        referral_papers,
        referral_steps,
        referral_stream,
        consultations,
        consultation_steps,
        temporal_codec,
        workflows,
        documents,
        recognition,
        identity,
        audit,
        video_webhook,
        video,
    )
    for part in v1:
        app.include_router(part.router, prefix="/api/v1")
    app.include_router(metrics.router)
    # before the reads, which would take an operation's name for an id
    for part in (pix, match, feed, export):
        app.include_router(part.router)
    app.include_router(fhir.router)
    app.include_router(fhir_writes.router)
    app.include_router(validating.router)
    app.include_router(mhd.router)
    app.include_router(terminology.router)
    app.include_router(schedules.router)
    app.include_router(fhir_referrals.router)
    uploads.mount(app, parts, doorway)
    app.mount("/xds", xds.create_app(parts))
    pixpdq.mount(app, parts)
    app.add_middleware(BodyLimit, limit=lambda path: _limit(path, settings))
    app.add_middleware(UiDoor, origin=ui_origin(settings))
    app.add_middleware(Edge)
    return app


def _limit(path: str, settings: Settings) -> int | None:
    """Return the most bytes for a path."""
    if path.startswith(UPLOADS):
        return None
    if path.startswith(FILES):
        return LARGEST_FILE
    if path.startswith(f"{CODEC}/"):
        return temporal_codec.LARGEST
    if path.startswith(REFERRALS) and path.endswith("/attachments"):
        return attachments.LARGEST
    if path == mhd.BASE:
        return settings.documents_limit
    if path.startswith("/fhir") and not path.endswith("/_search"):
        return settings.body_limit
    return RULE_SETS if path.startswith("/api/v1/rules") else ORDINARY


def _lifespan(parts: Platform, doorway: uploads.Doorway) -> Lifespan[FastAPI]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app

        def detail() -> dict[str, dict[str, int]]:
            return {**doorway.detail(), "ihe": parts.ihe_counts.detail()}

        beating = asyncio.create_task(beat(parts.settings.database_url, "api", detail), name="heartbeat")
        try:
            with (
                following(parts.settings, parts.statements),
                tending(tended(parts.settings)),
                exporting(parts.settings),
            ):
                async with uploads.opened(parts, doorway), closing(parts):
                    yield
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            parts.engine.dispose()

    return lifespan
