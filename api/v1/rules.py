"""Versions of the rule set: list, show, deploy, take back, try on stored messages."""

from __future__ import annotations

import threading
from dataclasses import asdict
from itertools import takewhile
from time import monotonic
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from sqlalchemy import Connection

from adapters.files import settings as files
from adapters.mocked import MockedDelivery
from adapters.tables import settings as tables
from api.caller import Caller, gate
from api.failures import Failure, FailureError, FieldError
from api.v1 import rule_shapes as shapes
from bus.campuses import lint as campuses
from bus.fhir.systems import Systems
from bus.rules.records import FreshRecords
from bus.rules.versions import service, store, traffic
from bus.rules.versions.backtest import Tally, backtest
from bus.rules.versions.compare import compare
from bus.rules.versions.folder import checked_files, compiled, digest_of
from bus.rules.versions.model import SHORT, RefusedRulesError, UnknownVersionError
from bus.rules.versions.status import status
from consortium.access.model import GROUP, SHARED, Action, Resource

router = APIRouter(prefix="/rules", tags=["rules"])
Reader = Annotated[Caller, Depends(gate(Action.RULES_READ))]
Deployer = Annotated[Caller, Depends(gate(Action.RULES_DEPLOY))]
Tester = Annotated[Caller, Depends(gate(Action.RULES_BACKTEST))]
Id = Annotated[
    str, Path(max_length=64, description="beginning of a digest, `active` or `previous`", examples=["active"])
]
ALL_CAMPUSES = Resource(organisation=GROUP)
"""The rules decide for every campus: only who works for the whole consortium changes them."""
SECONDS = 10.0
"""Longest backtest of one call."""
CHECKS = (campuses.mistakes, files.mistakes, tables.mistakes)
"""What is looked at in a set beside its rules: campuses, their sources of files, and of open tables."""
_running = threading.Lock()


@router.get("", summary="List versions and the ledger of activations")
def list_versions(caller: Reader, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> shapes.Versions:
    """Return the newest first."""
    caller.allow(SHARED)
    with caller.parts.statements.connect() as connection:
        return shapes.Versions(
            active=store.active_digest(connection),
            versions=[shapes.Version(**asdict(one)) for one in store.versions(connection, limit)],
            activations=[shapes.Activation(**asdict(one)) for one in store.ledger(connection, limit)],
        )


@router.get("/active", summary="Show which set decides, and whether the checkout has another")
def show_active(caller: Reader) -> shapes.ActiveRules:
    """Return the newest line of the ledger, and what the router says it decides by."""
    caller.allow(SHARED)
    found = status(caller.parts.statements, caller.parts.settings.rules_dir)
    return shapes.ActiveRules(
        active=shapes.Activation(**asdict(found.active)) if found.active else None,
        drifted=found.drifted,
        differs=list(found.checkout.differs),
        router=shapes.RouterRules(**asdict(found.router)) if found.router else None,
    )


@router.get("/{id}", summary="Show a version with its files", responses={404: {"description": "no such one"}})
def show_version(caller: Reader, id: Id) -> shapes.ShownVersion:  # noqa: A002 - the path's name of it
    """Return the whole set; as `files` and `binary` it can be deployed again."""
    caller.allow(SHARED)
    with caller.parts.statements.connect() as connection:
        digest = named(connection, id)
        version, files = store.version(connection, digest), store.files(connection, digest)
    texts = {path: text for path, content in files.items() if (text := _text(content)) is not None}
    binary = {path: content for path, content in files.items() if path not in texts}
    return shapes.ShownVersion.model_construct(**asdict(version), files=texts, binary=binary)


@router.get("/{id}/diff", summary="Compare two versions", responses={404: {"description": "no such one"}})
def show_difference(
    caller: Reader,
    id: Id,  # noqa: A002 - the path's name of it
    before: Annotated[str, Query(max_length=64, description="compare with this one")] = "active",
) -> shapes.Differences:
    """Return each file that is not the same."""
    caller.allow(SHARED)
    with caller.parts.statements.connect() as connection:
        digests = named(connection, before), named(connection, id)
        changes = compare(*(store.files(connection, digest) for digest in digests))
    files = [shapes.FileChange(**asdict(change)) for change in changes]
    return shapes.Differences(before=digests[0], after=digests[1], files=files)


@router.post(
    "",
    summary="Deploy an uploaded set",
    responses={
        409: {"description": "another set than the expected one is active"},
        422: {"description": "mistakes or failed tests; `errors` names each by file and line"},
    },
)
def deploy(caller: Deployer, body: shapes.Deployment) -> shapes.Activated:
    """Lint it and run its tests; when all pass, the router decides by it from its next batch on."""
    decision = caller.allow(ALL_CAMPUSES)
    by = caller.user.username
    try:
        outcome = service.deploy(
            caller.parts.engine,
            body.contents(),
            by,
            body.note,
            expected=body.expected,
            also=CHECKS,
            deliveries=MockedDelivery(Systems(caller.parts.settings)),
        )
    except RefusedRulesError as error:
        raise _refused(error) from error
    return _activated(caller, outcome, decision.reason)


@router.post(
    "/rollback",
    summary="Make an earlier version the active one again",
    responses={404: {"description": "no such version"}, 409: {"description": "somebody else was faster"}},
)
def roll_back(caller: Deployer, body: shapes.Rollback) -> shapes.Activated:
    """The router decides by it from its next batch on."""
    decision = caller.allow(ALL_CAMPUSES)
    try:
        outcome = service.rollback(caller.parts.engine, body.version, caller.user.username, body.note)
    except UnknownVersionError as error:
        raise _unknown(error) from error
    except RefusedRulesError as error:
        raise _refused(error) from error
    return _activated(caller, outcome, decision.reason)


@router.post(
    "/backtest",
    summary="Try a changed set on stored messages",
    responses={404: {"description": "no such version"}, 429: {"description": "another backtest is running"}},
)
def run_backtest(caller: Tester, body: shapes.Backtest) -> shapes.BacktestReport:
    """Read at most `limit` messages, for at most ten seconds, and say what would be decided otherwise.

    Nothing is changed, and no value of a message is shown. `next` goes on where this call stopped.
    """
    decision = caller.allow(ALL_CAMPUSES)
    with caller.parts.statements.connect() as connection:
        before = store.files(connection, named(connection, body.against))
        after = _changed(connection, body)
    if not _running.acquire(blocking=False):
        wait = {"Retry-After": str(int(SECONDS))}
        raise FailureError(Failure(429, "busy", "another backtest is running; try again", headers=wait))
    try:
        report = _report(caller, body, before, after)
    finally:
        _running.release()
    caller.note(decision.reason, what=f"rules {digest_of(after)[:SHORT]} over {report.read} messages")
    return report


def _changed(connection: Connection, body: shapes.Backtest) -> dict[str, bytes]:
    if (body.changed is None) == (body.version is None):
        raise FailureError(Failure(422, "validation", "give one of: changed, version"))
    if body.changed is not None:
        return checked_files(body.changed.contents())
    return store.files(connection, named(connection, body.version or ""))


def _report(
    caller: Caller, body: shapes.Backtest, before: dict[str, bytes], after: dict[str, bytes]
) -> shapes.BacktestReport:
    engine, until = caller.parts.engine, monotonic() + SECONDS
    reach = traffic.span(engine, body.since, facility=body.facility, after=body.after)
    tally = Tally()
    sets = compiled(before), compiled(after)
    traffic.take_additions(engine, *sets)
    messages, records = traffic.read(engine, reach), FreshRecords(engine.connect)
    results = backtest(messages, *sets, tally, records)
    for _ in takewhile(lambda so_far: so_far.read < body.limit and monotonic() < until, results):
        pass
    return shapes.BacktestReport(
        before=digest_of(before),
        after=digest_of(after),
        stored=reach.count,
        read=tally.read,
        different=tally.different,
        dropped=tally.dropped,
        next=tally.last if tally.read and tally.last < reach.last else None,
        differences=[shapes.Difference(**one) for one in tally.report()],
    )


def _activated(caller: Caller, outcome: service.Outcome, reason: str) -> shapes.Activated:
    caller.note(reason, what=f"rules {outcome.digest[:SHORT]}")
    return shapes.Activated(
        digest=outcome.digest, previous=outcome.previous, changed=outcome.activation is not None
    )


def named(connection: Connection, name: str) -> str:
    """Return the digest of a stored version. Raises FailureError, NothingActiveError."""
    try:
        return store.named(connection, name)
    except UnknownVersionError as error:
        raise _unknown(error) from error


def _unknown(error: UnknownVersionError) -> FailureError:
    return FailureError(Failure(404, "unknown-version", str(error)))


def _refused(error: RefusedRulesError) -> FailureError:
    errors = [FieldError(f"{one.file}:{one.line}", one.message) for one in error.findings]
    detail = f"the rule set is not deployed: {len(errors)} to correct"
    return FailureError(Failure(422, "rules-refused", detail, errors))


def _text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
