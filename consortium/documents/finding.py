"""The stored queries (ITI TF-2 §3.18.4.1.2.3.7), each a function over what was registered and recorded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import sqlalchemy as sa

from consortium.documents import store, whose
from consortium.documents.affinity import AffinityDomain
from consortium.documents.asking import QueryId
from consortium.documents.criteria import Condition, Criteria
from consortium.documents.errors import ErrorCode, refusal
from consortium.documents.model import (
    Association,
    AssociationType,
    DocumentEntry,
    Folder,
    Found,
    PatientId,
    RegistryObject,
    SubmissionSet,
)
from consortium.documents.recorded import Recorded
from consortium.documents.search import Held, Scope, Search

_MEMBER = (AssociationType.HAS_MEMBER,)


@dataclass(slots=True)
class _Answer:
    """What was found so far."""

    documents: list[Held[DocumentEntry]] = field(default_factory=list)
    submission_sets: list[Held[SubmissionSet]] = field(default_factory=list)
    folders: list[Held[Folder]] = field(default_factory=list)
    associations: list[Association] = field(default_factory=list)
    ends: frozenset[UUID] = frozenset()
    """People whom associations are about whose ends are not in the answer."""

    def ids(self) -> set[UUID]:
        """Return the ids of documents, sets and folders."""
        held: list[Held[RegistryObject]] = [*self.documents, *self.submission_sets, *self.folders]
        return {store.uuid_of(each.object.entry_uuid) for each in held}

    def found(self) -> Found:
        """Return the plain answer."""
        people = [each.person for each in (*self.documents, *self.submission_sets, *self.folders)]
        associations = {each.entry_uuid: each for each in self.associations}
        return Found(
            tuple(each.object for each in self.documents),
            tuple(each.object for each in self.submission_sets),
            tuple(each.object for each in self.folders),
            tuple(associations.values()),
            frozenset(people) | self.ends,
        )


class Finder:
    """Answers stored queries over one connection."""

    def __init__(
        self, connection: sa.Connection, domain: AffinityDomain, repository: str, most: int, *, whole: bool
    ) -> None:
        """`most`: objects of a kind in one answer; `whole`: also what an ObjectRef does not need."""
        self._connection = connection
        self._consortium = domain.consortium
        self._most = most
        self._search = Search(connection, domain.consortium, most)
        self._recorded = Recorded(connection, domain, repository, most, whole)

    def find(self, asked: Criteria) -> Found:
        """Answer. Raises RefusedError: too many results, a patient of another domain."""
        answer = _QUERIES[asked.query](self, asked)
        for kind in (answer.documents, answer.submission_sets, answer.folders, answer.associations):
            if len(kind) > self._most:
                context = f"more than {self._most} objects: narrow the query, by time, type or status"
                raise refusal(ErrorCode.TOO_MANY_RESULTS, context)
        return answer.found()

    def find_documents(self, asked: Criteria) -> _Answer:
        """FindDocuments, FindDocumentsByReferenceId, FindDocumentsForMultiplePatients."""
        persons = self._persons(asked.patients)
        documents = self._search.documents(self._scope(persons), asked.documents)
        if persons is not None:
            documents += self._recorded.of_persons(persons, asked.documents)
        newest_first = sorted(documents, key=lambda held: held.object.creation_time or "", reverse=True)
        return _Answer(documents=newest_first)

    def find_submission_sets(self, asked: Criteria) -> _Answer:
        """FindSubmissionSets."""
        scope = self._scope(self._persons(asked.patients))
        return _Answer(submission_sets=self._search.submission_sets(scope, asked.submission_sets))

    def find_folders(self, asked: Criteria) -> _Answer:
        """FindFolders, FindFoldersForMultiplePatients."""
        scope = self._scope(self._persons(asked.patients))
        return _Answer(folders=self._search.folders(scope, asked.folders))

    def get_all(self, asked: Criteria) -> _Answer:
        """GetAll: and every association that has an end in it."""
        answer = self.find_documents(asked)
        answer.submission_sets = self.find_submission_sets(asked).submission_sets
        answer.folders = self.find_folders(asked).folders
        answer.associations = self._touching(answer.ids())
        return answer

    def get_documents(self, asked: Criteria) -> _Answer:
        """GetDocuments."""
        return _Answer(documents=self._documents(asked))

    def get_folders(self, asked: Criteria) -> _Answer:
        """GetFolders."""
        return _Answer(folders=self._search.folders(_named(asked)))

    def get_associations(self, asked: Criteria) -> _Answer:
        """GetAssociations."""
        return self._with_ends(_Answer(associations=self._touching(_uuids(asked))))

    def get_documents_and_associations(self, asked: Criteria) -> _Answer:
        """GetDocumentsAndAssociations."""
        answer = self.get_documents(asked)
        answer.associations = self._touching(answer.ids())
        return answer

    def get_submission_sets(self, asked: Criteria) -> _Answer:
        """GetSubmissionSets: those that hold the objects, and the memberships."""
        members = self._search.associations(targets=_uuids(asked), types=_MEMBER)
        sets = self._search.submission_sets(Scope(ids=_sources(members)))
        held = {each.object.entry_uuid for each in sets}
        return _Answer(submission_sets=sets, associations=[each for each in members if each.source in held])

    def get_submission_set_and_contents(self, asked: Criteria) -> _Answer:
        """GetSubmissionSetAndContents: its documents as far as they meet the filters, its folders, and the
        associations among them.
        """
        answer = _Answer(submission_sets=self._search.submission_sets(_named(asked)))
        members = self._search.associations(sources=answer.ids(), types=_MEMBER)
        targets = _targets(members)
        answer.documents = self._documents_of(targets, asked.documents)
        answer.folders = self._search.folders(Scope(ids=targets))
        relations = self._search.associations_by_id(targets)
        reached = {id_.urn for id_ in answer.ids()} | {each.entry_uuid for each in relations}
        among = self._search.associations(sources=answer.ids(), types=_MEMBER)
        kept = [each for each in (*members, *among) if each.source in reached and each.target in reached]
        answer.associations = [*kept, *relations]
        return answer

    def get_folder_and_contents(self, asked: Criteria) -> _Answer:
        """GetFolderAndContents: its documents as far as they meet the filters, and their memberships."""
        answer = _Answer(folders=self._search.folders(_named(asked)))
        members = self._search.associations(sources=answer.ids(), types=_MEMBER)
        answer.documents = self._documents_of(_targets(members), asked.documents)
        held = {each.object.entry_uuid for each in answer.documents}
        answer.associations = [each for each in members if each.target in held]
        return answer

    def get_folders_for_document(self, asked: Criteria) -> _Answer:
        """GetFoldersForDocument."""
        documents = _Answer(documents=self._documents(asked)).ids()
        members = self._search.associations(targets=documents, types=_MEMBER)
        return _Answer(folders=self._search.folders(Scope(ids=_sources(members))))

    def get_related_documents(self, asked: Criteria) -> _Answer:
        """GetRelatedDocuments: the document, those related to it so, and the relations; nothing when there
        are none.
        """
        start = _Answer(documents=self._documents(asked)).ids()
        types = asked.association_types
        relations = self._touching(start, types)
        ends = _sources(relations) | _targets(relations) | start
        documents = self._documents_of(ends, asked.documents) if relations else []
        held = {each.object.entry_uuid for each in documents}
        kept = [each for each in relations if each.source in held and each.target in held]
        return _Answer(documents=documents, associations=kept) if kept else _Answer()

    def _persons(self, patients: Sequence[PatientId]) -> list[UUID] | None:
        """Return the people asked for; None: all. Those whom nobody knows are found to have nothing."""
        if not patients:
            return None
        if any(each.authority != self._consortium for each in patients):
            context = (
                f"patients are asked for by their ids of the domain {self._consortium}: ask PIX for them"
            )
            raise refusal(ErrorCode.UNKNOWN_PATIENT_ID, context)
        persons = (whose.as_person(each, self._consortium) for each in patients)
        return list(dict.fromkeys(person for person in persons if person is not None))

    def _scope(self, persons: Sequence[UUID] | None) -> Scope:
        if persons is None:
            return Scope()
        return Scope(patients=[each.id for each in whose.linked(self._connection, persons)])

    def _documents(self, asked: Criteria) -> list[Held[DocumentEntry]]:
        named = _named(asked)
        found = self._search.documents(named)
        if named.ids is not None:
            return found + self._recorded.by_id(named.ids)
        return found + self._recorded.by_unique_id(asked.unique_ids)

    def _documents_of(
        self, ids: Collection[UUID], conditions: Sequence[Condition]
    ) -> list[Held[DocumentEntry]]:
        return [*self._search.documents(Scope(ids=ids), conditions), *self._recorded.by_id(ids, conditions)]

    def _touching(self, ids: Collection[UUID], types: Collection[AssociationType] = ()) -> list[Association]:
        registered = self._search.associations(sources=ids, targets=ids, types=types)
        return registered + self._recorded.associations(ids, types)

    def _with_ends(self, answer: _Answer) -> _Answer:
        ends = {*_sources(answer.associations), *_targets(answer.associations)}
        known = store.known(self._connection, [id_.urn for id_ in ends], ()).objects
        objects = {**known, **self._recorded.known(ends)}
        answer.ends = frozenset(each.person for each in objects.values() if each.person is not None)
        return answer


def _named(asked: Criteria) -> Scope:
    return Scope(ids=_uuids(asked)) if asked.ids else Scope(unique_ids=asked.unique_ids)


def _uuids(asked: Criteria) -> set[UUID]:
    return {store.uuid_of(id_) for id_ in asked.ids}


def _sources(associations: Iterable[Association]) -> set[UUID]:
    return {store.uuid_of(each.source) for each in associations}


def _targets(associations: Iterable[Association]) -> set[UUID]:
    return {store.uuid_of(each.target) for each in associations}


_QUERIES: Mapping[QueryId, Callable[[Finder, Criteria], _Answer]] = {
    QueryId.FIND_DOCUMENTS: Finder.find_documents,
    QueryId.FIND_SUBMISSION_SETS: Finder.find_submission_sets,
    QueryId.FIND_FOLDERS: Finder.find_folders,
    QueryId.GET_ALL: Finder.get_all,
    QueryId.GET_DOCUMENTS: Finder.get_documents,
    QueryId.GET_FOLDERS: Finder.get_folders,
    QueryId.GET_ASSOCIATIONS: Finder.get_associations,
    QueryId.GET_DOCUMENTS_AND_ASSOCIATIONS: Finder.get_documents_and_associations,
    QueryId.GET_SUBMISSION_SETS: Finder.get_submission_sets,
    QueryId.GET_SUBMISSION_SET_AND_CONTENTS: Finder.get_submission_set_and_contents,
    QueryId.GET_FOLDER_AND_CONTENTS: Finder.get_folder_and_contents,
    QueryId.GET_FOLDERS_FOR_DOCUMENT: Finder.get_folders_for_document,
    QueryId.GET_RELATED_DOCUMENTS: Finder.get_related_documents,
    QueryId.FIND_DOCUMENTS_BY_REFERENCE_ID: Finder.find_documents,
    QueryId.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS: Finder.find_documents,
    QueryId.FIND_FOLDERS_FOR_MULTIPLE_PATIENTS: Finder.find_folders,
}
