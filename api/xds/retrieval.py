"""Documents by reference, from our store or from their campus: what ITI-43 and MHD's reads share."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool

from adapters.ihe.sources import Source, SourceAwayError
from api.caller import Caller
from bus.ihe.document_sets import Reference, Retrieved
from consortium.access.model import Resource
from consortium.documents import retrieve, stored
from consortium.documents.content import StoreAwayError
from consortium.documents.errors import ErrorCode, RegistryError
from consortium.documents.provide import sha1
from consortium.documents.retrieve import Known
from consortium.documents.stored import Stored

log = structlog.get_logger("api.xds")

Answer = tuple[list[Retrieved], list[RegistryError]]


@dataclass(frozen=True, slots=True)
class _There:
    """A document that must be fetched from its campus."""

    reference: Reference
    known: Known


async def retrieved(caller: Caller, wanted: Sequence[Reference]) -> Answer:
    """Return the documents that could be had, and what stood against the others; access is asked, and all of
    it is put in the audit. Raises ForbiddenError.
    """
    here = await run_in_threadpool(_Here(caller).look, wanted)
    found, errors = here.found, here.errors
    groups: dict[str, list[_There]] = {}
    for one in here.there:
        groups.setdefault(one.reference.repository, []).append(one)
    answers = await asyncio.gather(*(_fetched(caller, group) for group in groups.values()))
    asked = len(groups) + (len({one.repository for one in wanted}) > len(groups))
    away = sum(isinstance(answer, SourceAwayError) for answer in answers)
    for group, answer in zip(groups.values(), answers, strict=True):
        if isinstance(answer, SourceAwayError):
            context = f"{answer}; {asked - away} of {asked} sources answered"
            errors += [_error(ErrorCode.REPOSITORY_BUSY, context, one) for one in group]
        else:
            found += answer[0]
            errors += answer[1]
    await run_in_threadpool(_note, caller, here, found, errors)
    return found, errors


class _Here:
    """What is known and held here of the documents that are asked for."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.found: list[Retrieved] = []
        self.errors: list[RegistryError] = []
        self.there: list[_There] = []
        self.persons: dict[str, frozenset[UUID]] = {}
        self.reason = ""
        self._room = caller.parts.settings.documents_limit

    def look(self, wanted: Sequence[Reference]) -> _Here:
        """Look for each. Raises ForbiddenError."""
        parts = self._caller.parts
        with parts.statements.connect() as connection:
            for reference in wanted:
                source = parts.sources.get(reference.repository)
                if source is None and reference.repository != parts.settings.documents_repository:
                    context = f"{reference.repository} is no repository of this consortium"
                    self.errors.append(
                        RegistryError(ErrorCode.UNKNOWN_REPOSITORY_ID, context, reference.unique_id)
                    )
                    continue
                known = retrieve.known(connection, parts.registry, reference.repository, reference.unique_id)
                if isinstance(known, RegistryError):
                    self.errors.append(known)
                    continue
                for person in known.persons:
                    self.reason = self._caller.allow(Resource(person_id=person)).reason
                self.persons[reference.unique_id] = known.persons
                self._look_for(connection, reference, known)
        return self

    def _look_for(self, connection: sa.Connection, reference: Reference, known: Known) -> None:
        row = retrieve.held(connection, reference.repository, reference.unique_id)
        size = row.size if row else known.entry.size or 0
        if size > self._room and self.found:
            context = "the answer would be too large with it; ask for it in a request of its own"
            unique_id = reference.unique_id
            self.errors.append(RegistryError(ErrorCode.REPOSITORY_OUT_OF_RESOURCES, context, unique_id))
            return
        data = (
            retrieve.content(self._caller.parts.contents, row)
            if row
            else retrieve.recorded_content(connection, reference.unique_id)
        )
        if data is None:
            self.there.append(_There(reference, known))
        elif isinstance(data, RegistryError):
            self.errors.append(data)
        else:
            self._room -= size
            self.found.append(Retrieved(reference, row.mime_type if row else known.entry.mime_type, data))


async def _fetched(caller: Caller, group: Sequence[_There]) -> Answer | SourceAwayError:
    """Ask one campus for its documents, and keep what it gave."""
    source = caller.parts.sources.get(group[0].reference.repository)
    if source is None:  # ours: registered here, and not held
        context = (
            "the document is registered and not held here; ./yilian documents check tells what is missing"
        )
        return [], [_error(ErrorCode.REPOSITORY_ERROR, context, one) for one in group]
    try:
        given = await source.fetch([one.reference for one in group])
    except SourceAwayError as error:
        return error
    return await run_in_threadpool(_checked, caller, source, group, given)


def _checked(caller: Caller, source: Source, group: Sequence[_There], given: Sequence[Retrieved]) -> Answer:
    """Refuse what is not the document that was registered; keep the others for the next time."""
    by_id = {one.reference.unique_id: one for one in given}
    found, errors = [], []
    for one in group:
        got = by_id.get(one.reference.unique_id)
        if got is None:
            context = f"{source.spec.name} did not give this document"
            errors.append(_error(ErrorCode.DOCUMENT_UNIQUE_ID_ERROR, context, one))
        elif (one.known.entry.hash or sha1(got.content)).lower() != sha1(got.content):
            context = f"{source.spec.name} gave another content than the one that was registered"
            errors.append(_error(ErrorCode.REPOSITORY_ERROR, context, one))
        else:
            found.append(got)
    try:
        _keep(caller, found)
    except (StoreAwayError, OperationalError) as error:  # it is kept the next time
        log.warning("not_kept", source=source.spec.name, error=type(error).__name__)
    return found, errors


def _keep(caller: Caller, found: Sequence[Retrieved]) -> None:
    parts = caller.parts
    rows = [
        Stored(
            one.reference.unique_id,
            one.reference.repository,
            hashlib.sha256(one.content).digest(),
            len(one.content),
            one.mime_type,
            parts.now(),
        )
        for one in found
    ]
    with parts.engine.begin() as connection:
        stored.hold(connection)
        for row, one in zip(rows, found, strict=True):
            parts.contents.put(row.sha256, one.content)
        stored.keep(connection, rows)


def _error(code: ErrorCode, context: str, one: _There) -> RegistryError:
    return RegistryError(code, context, one.reference.unique_id)


def _note(caller: Caller, here: _Here, found: Sequence[Retrieved], errors: Sequence[RegistryError]) -> None:
    persons = frozenset[UUID]().union(*(here.persons[one.reference.unique_id] for one in found))
    if persons:
        caller.note(here.reason, sorted(persons))
    if errors:
        codes = ", ".join(sorted({error.code.value for error in errors}))
        others = frozenset[UUID]().union(*here.persons.values()) - persons
        caller.note_failure(codes, sorted(others))
