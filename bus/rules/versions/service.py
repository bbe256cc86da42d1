"""Deploying a rule set, going back to one, and the first one of a database: each in one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from bus.rules.delivering import Deliveries
from bus.rules.lint import Check
from bus.rules.ruleset import InvalidRulesError
from bus.rules.versions import store
from bus.rules.versions.check import Checked, check
from bus.rules.versions.folder import checked_files, compiled, digest_of, read_folder
from bus.rules.versions.model import SHORT, Action, Activation, Files, Finding, RefusedRulesError
from consortium.errors import ConflictError

PLATFORM = "yilian"
"""Author of the first activation."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a deployment or a rollback did."""

    digest: str
    previous: str | None
    """The set that was active before it."""
    activation: Activation | None
    """None: that set was active already, and nothing was changed."""


def deploy(
    engine: sa.Engine,
    files: Files,
    author: str,
    note: str = "",
    *,
    expected: str | None = None,
    also: Iterable[Check] = (),
    deliveries: Deliveries | None = None,
) -> Outcome:
    """Check a set, store it, and make it the active one.

    `expected`: the digest that must be active until then, so that two people do not undo each other's work.
    `also`: what adapters look at in the set; `deliveries`: by which its tests try what is sent.
    Raises `RefusedRulesError` with all findings, `UnfitFilesError`, ConflictError.
    """
    files = checked_files(files)
    checked = check(files, also, deliveries)
    if checked.findings:
        raise RefusedRulesError(checked.findings)
    with engine.begin() as connection:
        store.lock(connection)
        return _activate(connection, _save(connection, files, checked, author, note), author, note, expected)


def _save(connection: sa.Connection, files: Files, checked: Checked, author: str, note: str) -> str:
    digest = digest_of(files)
    store.save(connection, digest, files, author=author, note=note, rules=checked.rules, tests=checked.tests)
    return digest


def _activate(
    connection: sa.Connection,
    digest: str,
    author: str,
    note: str,
    expected: str | None,
    action: Action = Action.DEPLOY,
) -> Outcome:
    before = store.active_digest(connection)
    if expected is not None and expected != before:
        now = before[:SHORT] if before else "none"
        raise ConflictError(
            f"the active rule set is now {now}: look at it, then decide again",
            zh=f"当前生效的规则集已是 {now}：请查看后再决定",
        )
    if before == digest:
        return Outcome(digest, before, None)
    return Outcome(digest, before, store.activate(connection, digest, action, author, note))


def rollback(engine: sa.Engine, name: str, author: str, note: str = "") -> Outcome:
    """Make a stored set the active one again: `previous`, or the beginning of its digest.

    Its tests passed when it was deployed; it is compiled again, since this version of Yilian may be a newer
    one. Raises `UnknownVersionError`, `RefusedRulesError`, ConflictError.
    """
    with engine.connect() as connection:
        before = store.active(connection)
        digest = store.named(connection, name)
        files = store.files(connection, digest)
    try:
        compiled(files)
    except InvalidRulesError as error:
        lines = str(error).splitlines()
        raise RefusedRulesError([Finding(digest[:SHORT], 1, line) for line in lines]) from error
    with engine.begin() as connection:
        store.lock(connection)
        return _activate(connection, digest, author, note, before, Action.ROLLBACK)


def ensure_first(engine: sa.Engine, rules_dir: Path) -> None:
    """On a database without an active set, activate that of the checkout; otherwise change nothing.

    Raises `RefusedRulesError`, `UnfitFilesError`.
    """
    with engine.connect() as connection:
        if store.active_digest(connection) is not None:
            return
    files = read_folder(rules_dir)
    checked = check(files)
    if checked.findings:
        raise RefusedRulesError(checked.findings)
    note = "the first start took the rule set of the checkout"
    with engine.begin() as connection:
        store.lock(connection)
        if store.active_digest(connection) is None:
            digest = _save(connection, files, checked, PLATFORM, note)
            store.activate(connection, digest, Action.INITIAL, PLATFORM, note)
