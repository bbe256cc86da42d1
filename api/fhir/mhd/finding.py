"""What a search or read of MHD finds, as resources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

import sqlalchemy as sa

from api.fhir.mhd.searching import by_ids
from bus.fhir.documents import showing
from bus.fhir.documents.showing import Places
from bus.fhir.shapes import Resource
from consortium.documents import service
from consortium.documents.asking import QueryId, Return, StoredQuery
from consortium.documents.model import Association, AssociationType, DocumentEntry, Folder, SubmissionSet
from consortium.documents.service import Registry


class Finder:
    """Answers over one connection; `persons` are those whom the answers so far are about."""

    def __init__(self, connection: sa.Connection, registry: Registry, places: Places) -> None:
        self._connection = connection
        self._registry = registry
        self._places = places
        self.persons: set[UUID] = set()

    def entries(self, queries: Iterable[StoredQuery]) -> list[DocumentEntry]:
        """Return the documents that any of the queries finds, the newest first."""
        found: dict[str, DocumentEntry] = {}
        for query in queries:
            answer = service.find(self._connection, self._registry, query)
            self.persons |= answer.persons
            found |= {one.entry_uuid: one for one in answer.documents}
        return sorted(found.values(), key=lambda one: (one.creation_time or "", one.entry_uuid), reverse=True)

    def documents(self, entries: Sequence[DocumentEntry]) -> list[Resource]:
        """Show documents with what they replace, append to or transform."""
        associations = self._associations([one.entry_uuid for one in entries])
        return [showing.document_reference(one, self._places, associations) for one in entries]

    def packages(self, queries: Iterable[StoredQuery]) -> list[SubmissionSet | Folder]:
        """Return the submission sets and folders that any of the queries finds, the newest first."""
        found: dict[str, SubmissionSet | Folder] = {}
        for query in queries:
            answer = service.find(self._connection, self._registry, query)
            self.persons |= answer.persons
            sets = query.id in (QueryId.FIND_SUBMISSION_SETS, QueryId.GET_SUBMISSION_SET_AND_CONTENTS)
            for one in answer.submission_sets if sets else answer.folders:
                found[one.entry_uuid] = one
        return sorted(found.values(), key=lambda one: (_time(one), one.entry_uuid), reverse=True)

    def lists(self, packages: Sequence[SubmissionSet | Folder]) -> list[Resource]:
        """Show submission sets and folders with their members."""
        ids = {one.entry_uuid for one in packages}
        members: dict[str, list[str]] = {id_: [] for id_ in ids}
        for one in self._associations(sorted(ids)):
            if one.type is AssociationType.HAS_MEMBER and one.source in ids:
                members[one.source].append(one.target)
        kinds = self._kinds(sorted({id_ for each in members.values() for id_ in each}))
        return [
            self._list(one, [id_ for id_ in members[one.entry_uuid] if id_ in kinds], kinds)
            for one in packages
        ]

    def _list(self, one: SubmissionSet | Folder, members: Sequence[str], kinds: dict[str, str]) -> Resource:
        if isinstance(one, SubmissionSet):
            return showing.submission_set(one, self._places, members, kinds)
        return showing.folder(one, self._places, members, kinds)

    def _kinds(self, ids: Sequence[str]) -> dict[str, str]:
        """Tell documents from folders; associations are neither, and no item of a List."""
        if not ids:
            return {}
        asked = (
            (QueryId.GET_DOCUMENTS, "$XDSDocumentEntryEntryUUID"),
            (QueryId.GET_FOLDERS, "$XDSFolderEntryUUID"),
        )
        documents, folders = (
            service.find(self._connection, self._registry, by_ids(query, name, ids, Return.OBJECT_REF))
            for query, name in asked
        )
        found = {one.entry_uuid: "DocumentReference" for one in documents.documents}
        return found | {one.entry_uuid: "List" for one in folders.folders}

    def _associations(self, ids: Sequence[str]) -> tuple[Association, ...]:
        if not ids:
            return ()
        query = by_ids(QueryId.GET_ASSOCIATIONS, "$uuid", ids, Return.OBJECT_REF)
        return service.find(self._connection, self._registry, query).associations


def _time(one: SubmissionSet | Folder) -> str:
    return (one.submission_time if isinstance(one, SubmissionSet) else one.last_update_time) or ""
