"""Provide and register (ITI-41): documents together with what is said of them, all or nothing.

The contents are put into the store first, then one transaction registers the metadata and says what is held;
a crash in between leaves orphans, which nobody sees and a sweep removes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from consortium.access.model import User
from consortium.documents import service, stored
from consortium.documents.content import ContentStore
from consortium.documents.errors import ErrorCode, RefusedError, RegistryError
from consortium.documents.model import DocumentEntry, ObjectType, Submission
from consortium.documents.service import Registered, Registry
from consortium.documents.stored import Stored


def provide(
    engine: sa.Engine,
    store: ContentStore,
    registry: Registry,
    submission: Submission,
    contents: Mapping[str, bytes],
    caller: User,
    now: datetime,
    noted: Callable[[sa.Connection, Registered], None],
) -> Registered:
    """Store and register; returns after the commit. `contents` by the id of their entry; `noted` puts it in
    the audit, in the same transaction.

    Raises:
        RefusedError: with every mistake that was found; nothing was registered.
        StoreAwayError: send it again.
    """
    repository = registry.repository
    whole = completed(submission, contents, repository)
    rows = [_row(entry, contents[entry.entry_uuid], repository, now) for entry in _stable(whole)]
    with engine.begin() as connection:
        stored.hold(connection)
        _refuse_changed(connection, repository, rows)
        for row, entry in zip(rows, _stable(whole), strict=True):
            store.put(row.sha256, contents[entry.entry_uuid])
        registered = service.register(connection, registry, whole, caller, now)
        stored.keep(connection, rows)
        noted(connection, registered)
    return registered


def completed(submission: Submission, contents: Mapping[str, bytes], repository: str) -> Submission:
    """Return the submission with size, hash (SHA-1, ITI TF-3 §4.2.3.2.10) and our repositoryUniqueId.

    Raises:
        RefusedError: a document without metadata, metadata without its document, a wrong size or hash.
    """
    errors = [*_unpaired(submission, contents), *_twice(submission), *_wrong(submission, contents)]
    if errors:
        raise RefusedError(*errors)
    documents = tuple(
        replace(
            entry,
            size=len(contents[entry.entry_uuid]),
            hash=sha1(contents[entry.entry_uuid]),
            repository_unique_id=repository,
        )
        if entry.object_type is ObjectType.STABLE
        else entry
        for entry in submission.documents
    )
    return replace(submission, documents=documents)


def sha1(content: bytes) -> str:
    """Return the hash that the profile wants in metadata; it guards against mistakes, not against malice."""
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def _stable(submission: Submission) -> list[DocumentEntry]:
    return [entry for entry in submission.documents if entry.object_type is ObjectType.STABLE]


def _unpaired(submission: Submission, contents: Mapping[str, bytes]) -> Iterator[RegistryError]:
    expected = [entry.entry_uuid for entry in _stable(submission)]
    for id_ in expected:
        if id_ not in contents:
            context = f"the metadata names {id_}, and no Document with this id came along"
            yield RegistryError(ErrorCode.DOCUMENT_ENTRY_MISSING_OR_UNKNOWN, context, id_)
    for id_ in contents.keys() - set(expected):
        context = f"the Document {id_} came without an ExtrinsicObject of this id"
        yield RegistryError(ErrorCode.MISSING_DOCUMENT_METADATA, context, id_)


def _twice(submission: Submission) -> Iterator[RegistryError]:
    counted = Counter(entry.unique_id for entry in submission.documents)
    for unique_id, count in counted.items():
        if count > 1:
            context = f"{count} documents of this submission have the unique id {unique_id}"
            yield RegistryError(ErrorCode.REPOSITORY_DUPLICATE_UNIQUE_ID, context, unique_id)


def _wrong(submission: Submission, contents: Mapping[str, bytes]) -> Iterator[RegistryError]:
    for entry in _stable(submission):
        content = contents.get(entry.entry_uuid)
        if content is None:
            continue
        facts = {"size": (entry.size, len(content)), "hash": (_lower(entry.hash), sha1(content))}
        for name, (said, found) in facts.items():
            if said is not None and said != found:
                context = f"{name} is {said} in the metadata and {found} of the document that came"
                location = f"{entry.entry_uuid}.{name}"
                yield RegistryError(ErrorCode.REPOSITORY_METADATA_ERROR, context, location)


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def _row(entry: DocumentEntry, content: bytes, repository: str, now: datetime) -> Stored:
    sha256 = hashlib.sha256(content).digest()
    return Stored(entry.unique_id, repository, sha256, len(content), entry.mime_type, now)


def _refuse_changed(connection: sa.Connection, repository: str, rows: list[Stored]) -> None:
    known = stored.find(connection, repository, [row.unique_id for row in rows])
    changed = [row for row in rows if row.unique_id in known and known[row.unique_id].sha256 != row.sha256]
    if changed:
        raise RefusedError(
            *(
                RegistryError(
                    ErrorCode.NON_IDENTICAL_HASH,
                    f"{row.unique_id} is held with another content; give what changed a unique id of its own",
                    row.unique_id,
                )
                for row in changed
            )
        )
