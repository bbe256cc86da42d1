"""Trying a rule set before it is deployed: lint, its tests, one message through it. Nothing is changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

from fastapi import APIRouter

from adapters.mocked import MockedDelivery
from adapters.reviewed import checks
from api.caller import Caller
from api.failures import Failure, FailureError
from api.v1 import rule_trial_shapes as shapes
from api.v1.messages import journey_of, persons_of
from api.v1.rules import ALL_CAMPUSES, Tester, named
from bus.fhir.systems import Systems
from bus.hl7.charset import codec_for
from bus.hl7.problem import HL7Error
from bus.rules.additions import Additions
from bus.rules.codes import CodeTable
from bus.rules.coverage import short_of
from bus.rules.masking import masked, plain
from bus.rules.message import Message, NoMessageError, from_bytes, from_inbox
from bus.rules.records import FreshRecords
from bus.rules.versions import store, trying
from bus.rules.versions.folder import checked_files, digest_of
from bus.rules.versions.model import SHORT
from bus.sources.source import Envelope
from consortium.access.model import Action, Resource

router = APIRouter(prefix="/rules", tags=["rules"])
PATIENCE = 10.0
"""Seconds that a trial waits for another to end."""
_running = threading.Lock()
BUSY: dict[int | str, dict[str, Any]] = {429: {"description": "another trial is running"}}
MESSAGE: dict[int | str, dict[str, Any]] = BUSY | {404: {"description": "no such version or message"}}


@router.post("/lint", summary="Name each mistake of a set by its place", responses=BUSY)
def lint_rules(caller: Tester, body: shapes.Chosen) -> shapes.Linted:
    """Say what a deployment would, warnings too, and deploy nothing."""
    caller.allow(ALL_CAMPUSES)
    files = _files(caller, body)
    with _alone():
        report = trying.linted(files, checks(caller.parts.settings))
    return shapes.Linted(
        digest=digest_of(files),
        passed=report.passed,
        rules=report.rules,
        tables=report.tables,
        findings=[shapes.Found(**asdict(one)) for one in report.findings],
    )


@router.post("/test", summary="Run the tests that a set carries", responses=BUSY)
def run_rule_tests(caller: Tester, body: shapes.Tests) -> shapes.Tested:
    """Return what became of each, and the branches that none goes through."""
    caller.allow(ALL_CAMPUSES)
    files = _files(caller, body)
    with _alone():
        found = trying.tested(files, body.names, MockedDelivery(Systems(caller.parts.settings)))
    below = [one.rule for one in short_of(found.coverage, body.threshold)]
    return shapes.Tested(
        digest=digest_of(files),
        passed=found.passed and not below,
        errors=[shapes.Found(**asdict(one)) for one in found.errors],
        outcomes=[shapes.Outcome(**asdict(one), passed=not one.differences) for one in found.outcomes],
        coverage=[shapes.Covered(**one.as_json()) for one in found.coverage],
        below=below,
    )


@router.post("/explain", summary="Say why a message goes the way it goes", responses=MESSAGE)
def explain_message(caller: Tester, body: shapes.Asked) -> shapes.Explained:
    """Tell each rule's condition, and what each leaf read and gave. The use of a message is audited."""
    caller.allow(ALL_CAMPUSES)
    files = _files(caller, body)
    message = _message(caller, body, digest_of(files))
    with _alone():
        found = trying.explained(files, message, plain if body.values else masked, _mapped(caller))
    return shapes.Explained(digest=digest_of(files), explanation=found.as_json())


@router.post("/preview", summary="Say what a changed set would make of a message", responses=MESSAGE)
def preview_message(caller: Tester, body: shapes.Compared) -> shapes.Previewed:
    """Compare with what another set makes of it, field by field. The use of a message is audited."""
    caller.allow(ALL_CAMPUSES)
    with caller.parts.statements.connect() as connection:
        before = store.files(connection, named(connection, body.against))
    after = _files(caller, body)
    message = _message(caller, body, digest_of(after))
    show = plain if body.values else masked
    with _alone():
        found = trying.compared(before, after, message, _mapped(caller))
    shown = [shapes.Difference(**asdict(one if one.of_nobody else one.shown(show))) for one in found]
    return shapes.Previewed(before=digest_of(before), after=digest_of(after), differences=shown)


def _files(caller: Caller, body: shapes.Chosen) -> dict[str, bytes]:
    if body.changed is not None:
        if "version" in body.model_fields_set:
            raise FailureError(Failure(422, "validation", "give one of: changed, version"))
        return checked_files(body.changed.contents())
    with caller.parts.statements.connect() as connection:
        return store.files(connection, named(connection, body.version))


def _message(caller: Caller, body: shapes.Asked, digest: str) -> Message:
    """Return the message asked about, when the caller may use it; that is in the audit then."""
    if (body.message is None) == (body.given is None):
        raise FailureError(Failure(422, "validation", "give one of: message, given"))
    if body.given is not None:
        message = _given(body.given)
        if body.values:
            caller.allow(Resource(organisation=message.envelope.facility), Action.MESSAGE_BODY_READ)
        return message
    way = journey_of(caller, body.message or "")
    asked = Resource(organisation=way.entry.facility)
    action = Action.MESSAGE_BODY_READ if body.values else Action.MESSAGE_READ
    decision = caller.allow(asked, action)
    what = f"message {body.message} through rules {digest[:SHORT]}"
    caller.note(decision.reason, persons_of(caller, way.entry), action=action, what=what)
    with caller.parts.statements.connect() as connection:
        try:
            message = from_inbox(connection, int(body.message or ""))
        except NoMessageError as error:
            raise FailureError(Failure(404, "no-body", str(error))) from error
    return replace(message, records=FreshRecords(caller.parts.engine.connect))


def _given(given: shapes.Given) -> Message:
    known = Envelope(given.facility, given.sender, given.type, given.protocol)
    try:
        codec = codec_for(given.charset)
    except HL7Error as error:
        reason = "charset: no such character set is read here; give utf-8 or gb18030"
        raise FailureError(Failure(422, "validation", reason)) from error
    try:
        return from_bytes("the given message", given.content, codec, known, option="{}")
    except NoMessageError as error:
        raise FailureError(Failure(422, "validation", str(error))) from error


def _mapped(caller: Caller) -> Callable[[dict[str, CodeTable]], None]:
    """Return what takes in the codes that people mapped, as the router has them."""

    def refresh(tables: dict[str, CodeTable]) -> None:
        with caller.parts.engine.connect() as connection:
            Additions(tables).refresh(connection)

    return refresh


@contextmanager
def _alone() -> Iterator[None]:
    """One trial at a time: it is the API's processor that works. Raises FailureError after a while."""
    if not _running.acquire(timeout=PATIENCE):
        wait = {"Retry-After": str(int(PATIENCE))}
        raise FailureError(Failure(429, "busy", "another trial is running; try again", headers=wait))
    try:
        yield
    finally:
        _running.release()
