"""Retrieve (ITI-43): what is said of a document that is asked for, and its bytes where we hold them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from consortium.documents import recorded, service, stored
from consortium.documents.asking import QueryId, Return, StoredQuery
from consortium.documents.content import ContentStore, CorruptContentError
from consortium.documents.errors import ErrorCode, RefusedError, RegistryError
from consortium.documents.model import DocumentEntry
from consortium.documents.service import Registry
from consortium.documents.stored import Stored


@dataclass(frozen=True, slots=True)
class Known:
    """What the registry says of a document."""

    entry: DocumentEntry
    persons: frozenset[UUID]
    """The golden people it is about: one, unless it was registered for another too."""


def known(
    connection: sa.Connection, registry: Registry, repository: str, unique_id: str
) -> Known | RegistryError:
    """Look a document up, deprecated or not; an error where the registry does not know it there."""
    query = StoredQuery(
        QueryId.GET_DOCUMENTS, {"$XDSDocumentEntryUniqueId": ((unique_id,),)}, Return.LEAF_CLASS
    )
    try:
        found = service.find(connection, registry, query)
    except RefusedError as error:
        return error.errors[0]
    for entry in found.documents:
        if entry.repository_unique_id == repository:
            return Known(entry, found.persons)
    context = f"no document {unique_id} is registered for the repository {repository}"
    return RegistryError(ErrorCode.DOCUMENT_UNIQUE_ID_ERROR, context, unique_id)


def content(store: ContentStore, row: Stored) -> bytes | RegistryError:
    """Read a document that is held; an error, for those who run the platform, where it is lost or damaged."""
    try:
        data = store.get(row.sha256)
    except CorruptContentError as error:
        return RegistryError(ErrorCode.REPOSITORY_ERROR, str(error), row.unique_id)
    if data is None:
        context = (
            f"the content of {row.unique_id} is not in the store: restore it from the backup;"
            " ./yilian documents check tells what else is missing"
        )
        return RegistryError(ErrorCode.REPOSITORY_ERROR, context, row.unique_id)
    return data


def recorded_content(connection: sa.Connection, unique_id: str) -> bytes | RegistryError | None:
    """Read a document that the bus took in; None: it took in no such document."""
    try:
        found = recorded.content(connection, unique_id)
    except CorruptContentError as error:
        return RegistryError(ErrorCode.REPOSITORY_ERROR, str(error), unique_id)
    return found.data if found else None


def held(connection: sa.Connection, repository: str, unique_id: str) -> Stored | None:
    """Return what we hold of a document, ours or a campus's; None: nothing."""
    return stored.find(connection, repository, [unique_id]).get(unique_id)
