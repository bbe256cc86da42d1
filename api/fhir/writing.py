"""Writes: conditions checked under the patient's lock, effects and audit in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from api.caller import Caller
from api.fhir.requests import Asked
from api.fhir.standing import Standing, contradicts, looked_up, standing
from bus.envelope import Outcome
from bus.fhir.intake import Intake, Sent
from bus.fhir.reading.changes import PARTS, Part, Read, read
from bus.fhir.reading.issues import InvalidResourceError, Issue
from bus.fhir.reading.keys import Key, query_key
from bus.fhir.shapes import Resource
from bus.fhir.systems import Systems
from bus.rules.decision import HoldingError
from bus.rules.versions.model import Deployed, NothingActiveError
from bus.rules.versions.shelf import NotLoadedError
from consortium.access.model import Resource as Owned
from consortium.errors import PermanentError, RetryableError
from consortium.identity.model import MergeError
from consortium.records.errors import RecordError

_OTHER_PATIENT = "number_of_other_patient"


class WriteError(PermanentError):
    """A write that is not made, with the HTTP status that says so."""

    def __init__(self, status: int, issues: Sequence[Issue]) -> None:
        super().__init__("; ".join(issue.text for issue in issues))
        self.status = status
        self.issues = tuple(issues)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one part."""

    status: int
    type: str
    standing: Standing | None
    """None: kept with another part."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a request."""

    message_id: int | None
    """In the inbox; None where nothing was written, because it was there."""
    answers: tuple[Answer, ...]
    notes: tuple[Issue, ...]


class Writer:
    """Writes for one caller."""

    def __init__(self, caller: Caller, systems: Systems) -> None:
        settings = caller.parts.settings
        self._caller = caller
        self._systems = systems
        self._intake = Intake(settings.routing_key, timedelta(days=settings.dedupe_days))

    def write(self, asked: Sequence[Asked], sent: Sent) -> Written:
        """Write all parts, or none.

        Raises:
            InvalidResourceError: what is sent cannot be taken.
            WriteError: a condition does not hold, or the records contradict it.
            ForbiddenError: it is of a campus that the caller may not write; audited.
            RetryableError: try again.
        """
        while True:
            try:
                return self._attempt(asked, sent)
            except NotLoadedError as error:  # another rule set was deployed: compiled once, outside of locks
                self._caller.parts.deployed.load(error.digest)

    def _attempt(self, asked: Sequence[Asked], sent: Sent) -> Written:
        with self._caller.parts.engine.begin() as connection:
            found = self._read(connection, [one.part for one in asked])
            self._caller.allow(Owned(organisation=found.facility))
            keys = self._intake.lock(connection, found)
            before = [standing(connection, key) if key else None for key in found.keys]
            self._check(asked, found, before)
            wanted = _wanted(asked, before)
            if not any(one.by_itself for one in wanted):
                return Written(None, _answers(asked, before, before), found.notes)
            rest = self._rest(connection, asked, wanted, found)
            return self._effect(connection, (asked, wanted), found, rest, sent, keys, before)

    def _read(
        self, connection: sa.Connection, parts: Sequence[Part], more: Mapping[str, Key] | None = None
    ) -> Read:
        known = looked_up(connection, parts, self._caller.user.organisation)
        return read(parts, self._systems, {**known, **(more or {})})

    def _rest(
        self, connection: sa.Connection, asked: Sequence[Asked], wanted: Sequence[Asked], found: Read
    ) -> Read:
        """Return what is left to write once what is there already is left out."""
        if len(wanted) == len(asked):
            return found
        known: dict[str, Key] = {}
        for one, key in zip(asked, found.keys, strict=True):
            if key is not None:
                known |= dict.fromkeys(_addresses(one), key)
        return self._read(connection, [one.part for one in wanted], known)

    def _effect(
        self,
        connection: sa.Connection,
        parts: tuple[Sequence[Asked], Sequence[Asked]],
        found: Read,
        rest: Read,
        sent: Sent,
        keys: tuple[int, ...],
        before: Sequence[Standing | None],
    ) -> Written:
        asked, wanted = parts
        receipt = self._intake.store(connection, rest, sent)
        if receipt.outcome is Outcome.CONFLICT:
            text = "its id was used before with other content: give what is new an id of its own"
            raise WriteError(409, [Issue(asked[0].part.path, text, "conflict")])
        if receipt.outcome is Outcome.DUPLICATE:
            return Written(receipt.id, _answers(asked, before, before), found.notes)
        try:
            deployed = self._deployed(connection)
            applied = self._intake.apply(connection, (rest, sent), receipt, keys, deployed)
        except HoldingError as error:
            text = f"the rule {error.hold.rule} cannot tell where this goes: {error.hold.reason}"
            raise WriteError(503, [Issue(asked[0].part.path, text, "transient")]) from error
        except (RecordError, MergeError) as error:
            status = 409 if error.code == _OTHER_PATIENT else 422
            issue = Issue(asked[0].part.path, str(error), "business-rule")
            raise WriteError(status, [issue]) from error
        after = [standing(connection, key) if key else None for key in found.keys]
        _check_created(asked, wanted, before, after)
        self._note(connection, asked, receipt.id, applied.person_id)
        return Written(receipt.id, _answers(asked, before, after), found.notes)

    def _deployed(self, connection: sa.Connection) -> Deployed | None:
        """Return the rules that send it on: those that are active in its transaction, behind the lock.

        None before the first set of a database: then there is no destination. Raises `NotLoadedError`,
        RetryableError.
        """
        try:
            return self._caller.parts.deployed.current(connection)
        except NothingActiveError:
            return None
        except PermanentError as error:
            raise RetryableError(str(error)) from error

    def _check(self, asked: Sequence[Asked], found: Read, before: Sequence[Standing | None]) -> None:
        """Check the conditions of every part. Raises WriteError, InvalidResourceError."""
        for one, key, now in zip(asked, found.keys, before, strict=True):
            if key is None:
                continue
            for query in (one.if_none_exist, one.query):
                if query is not None and query_key(one.part.type, query, self._systems) != key:
                    text = "the condition is identifier=system|value, of the resource's own identifier"
                    raise InvalidResourceError([Issue(one.part.path, text, "not-supported")])
            _check_version(one, now)
            _check_id(one, key, now)

    def _note(self, connection: sa.Connection, asked: Sequence[Asked], message_id: int, person: UUID) -> None:
        """Put the write in the audit, in its own transaction."""
        types = ", ".join(sorted({one.part.type for one in asked if one.by_itself}))
        self._caller.note_in(connection, f"{types} written, message {message_id}", [person])


def _check_version(one: Asked, now: Standing | None) -> None:
    if one.if_match is None:
        return
    if now is None or now.version != one.if_match:
        known = "it is not here" if now is None else "it has no versions" if now.version is None else None
        text = known or f"it is at version {now.version if now else 0}: read it, and send your change of that"
        raise WriteError(412, [Issue(one.part.path, text, "conflict")])


def _check_id(one: Asked, key: Key, now: Standing | None) -> None:
    if one.id is None:
        return
    if now is None and key.kind == "patient":
        text = "this number is not known yet: POST it, and the platform says which person it is"
        raise WriteError(404, [Issue(one.part.path, text, "not-found")])
    if one.id != str(now.id if now else key.id):
        text = "the record of this identifier has another id: an id here follows from campus and number"
        raise WriteError(422, [Issue(f"{one.part.path}.id", text, "business-rule")])


def _check_created(
    asked: Sequence[Asked],
    wanted: Sequence[Asked],
    before: Sequence[Standing | None],
    after: Sequence[Standing | None],
) -> None:
    """Refuse to create what is here already and says something else."""
    text = "a record of this identifier is here and says something else: PUT changes it"
    issues = [
        Issue(one.part.path, text, "duplicate")
        for one, old, new in zip(asked, before, after, strict=True)
        if one.method == "POST" and one in wanted and contradicts(old, new)
    ]
    if issues:
        raise WriteError(409, issues)


def _wanted(asked: Sequence[Asked], before: Sequence[Standing | None]) -> list[Asked]:
    """Leave out what is created only if it is not there, and is there, with what is kept as a part of it."""
    there = [
        one
        for one, now in zip(asked, before, strict=True)
        if one.if_none_exist is not None and now is not None
    ]
    parts = {address for one in there for address in _parts_of(one.part.resource)}
    return [
        one
        for one in asked
        if one not in there and not (one.part.type in PARTS and parts & set(_addresses(one)))
    ]


def _parts_of(resource: Resource) -> list[str]:
    results = [one.get("reference", "") for one in resource.get("result", ())]
    return results + [one.get("attachment", {}).get("url", "") for one in resource.get("content", ())]


def _addresses(one: Asked) -> list[str]:
    id_ = one.part.resource.get("id")
    return [*([one.part.address] if one.part.address else []), *([f"{one.part.type}/{id_}"] if id_ else [])]


def _answers(
    asked: Sequence[Asked], before: Sequence[Standing | None], after: Sequence[Standing | None]
) -> tuple[Answer, ...]:
    return tuple(
        Answer(201 if old is None and new is not None else 200, one.part.type, new)
        for one, old, new in zip(asked, before, after, strict=True)
    )
