"""What a submission does to the registry (ITI TF-2 §3.42.4.1.3). Pure: what is known is given.

Replacing deprecates the original and its addenda, and puts the replacement into the original's folders; a
folder that gains a document is updated now. Nothing is decided by halves: one mistake refuses the whole.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from consortium.documents.checking import is_uuid, objects
from consortium.documents.errors import ErrorCode, RefusedError, RegistryError
from consortium.documents.model import (
    AnyObject,
    Association,
    AssociationType,
    Availability,
    DocumentEntry,
    Folder,
    MemberKind,
    Submission,
    dtm,
)

NewId = Callable[[], UUID]
Versioned = TypeVar("Versioned", DocumentEntry, Folder)


@dataclass(frozen=True, slots=True)
class KnownObject:
    """What the registry holds of an object that a submission names."""

    id: str
    kind: str
    """document, submission_set, folder or association."""
    person: UUID | None = None
    unique_id: str = ""
    approved: bool = True
    hash: str | None = None
    owner: str | None = None
    """Whose it is: the campus that submitted or recorded it; None: nobody's who is known."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the registry holds, as far as a submission touches it."""

    objects: Mapping[str, KnownObject] = field(default_factory=dict)
    """By id."""
    unique_ids: Mapping[str, tuple[KnownObject, ...]] = field(default_factory=dict)
    folders_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By document: the approved folders that hold it."""
    dependants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By document: the approved documents that append to it or transform it, and theirs."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is written, in one transaction."""

    submission: Submission
    """With UUIDs, and the folders' lastUpdateTime."""
    inherited: tuple[Association, ...] = ()
    """Memberships that replacements take over from what they replace."""
    deprecated: tuple[str, ...] = ()
    """Documents that are replaced, and what hung on them."""
    updated_folders: tuple[str, ...] = ()
    """Folders of the registry that gained a document."""


def with_uuids(submission: Submission, new_id: NewId) -> Submission:
    """Give every object of a submission a UUID for its symbolic id, and follow it in the associations."""
    given: list[AnyObject] = [*objects(submission), *submission.associations]
    ids = {each.entry_uuid: _urn(each.entry_uuid, new_id) for each in given}

    def followed(end: str) -> str:
        return ids.get(end) or (end.lower() if is_uuid(end) else end)

    return Submission(
        replace(
            submission.submission_set,
            entry_uuid=ids[submission.submission_set.entry_uuid],
            availability=Availability.APPROVED,
        ),
        tuple(_logical(replace(each, entry_uuid=ids[each.entry_uuid])) for each in submission.documents),
        tuple(_logical(replace(each, entry_uuid=ids[each.entry_uuid])) for each in submission.folders),
        tuple(
            replace(
                each,
                entry_uuid=ids[each.entry_uuid],
                source=followed(each.source),
                target=followed(each.target),
                availability=Availability.APPROVED,
            )
            for each in submission.associations
        ),
    )


def _urn(id_: str, new_id: NewId) -> str:
    return id_.lower() if is_uuid(id_) else new_id().urn


def _logical(each: Versioned) -> Versioned:
    """Name the first version: its logical id is its own, whatever it was submitted with."""
    return replace(each, logical_id=each.entry_uuid, version=1, availability=Availability.APPROVED)


def decide(
    submission: Submission,
    person: UUID,
    known: Known,
    now: datetime,
    new_id: NewId,
    submitter: str | None = None,
) -> Plan:
    """Decide about a submission that was checked, and has UUIDs. `submitter`: whose campus sends it; None:
    of the whole consortium.

    Raises:
        RefusedError: with every mistake.
    """
    deciding = _Deciding(submission, person, known, submitter)
    if mistakes := list(deciding.mistakes()):
        raise RefusedError(*mistakes)
    at = dtm(now)
    folders = tuple(replace(each, last_update_time=at) for each in submission.folders)
    stamped = replace(submission, folders=folders)
    inherited = tuple(deciding.inherited(new_id))
    own = {each.entry_uuid for each in folders}
    gained = [each.source for each in submission.associations if deciding.fills_folder(each)]
    gained += [each.source for each in inherited if each.member_kind is None]
    return Plan(
        stamped,
        inherited,
        tuple(dict.fromkeys(deciding.deprecated())),
        tuple(dict.fromkeys(id_ for id_ in gained if id_ not in own)),
    )


class _Deciding:
    def __init__(self, submission: Submission, person: UUID, known: Known, submitter: str | None) -> None:
        self._submitter = submitter
        self._submission = submission
        self._person = person
        self._known = known
        self._set_id = submission.submission_set.entry_uuid
        self._here: dict[str, KnownObject] = {
            self._set_id: KnownObject(self._set_id, "submission_set", person),
            **{
                each.entry_uuid: KnownObject(each.entry_uuid, "document", person)
                for each in submission.documents
            },
            **{
                each.entry_uuid: KnownObject(each.entry_uuid, "folder", person) for each in submission.folders
            },
            **{
                each.entry_uuid: KnownObject(each.entry_uuid, "association")
                for each in submission.associations
            },
        }

    def mistakes(self) -> Iterator[RegistryError]:
        """Find what the registry refuses."""
        for id_ in self._here:
            if id_ in self._known.objects:
                yield _metadata(id_, "id", "this UUID is registered already: new objects need new ones")
        yield from self._unique_ids()
        replaced: set[str] = set()
        for each in self._submission.associations:
            yield from self._association(each)
            if each.type.replaces and each.target in replaced:
                yield _metadata(each.entry_uuid, "targetObject", "the same document is replaced twice")
            if each.type.replaces:
                replaced.add(each.target)

    def deprecated(self) -> Iterator[str]:
        """Return what is replaced, and what hung on it."""
        for each in self._submission.associations:
            if each.type.replaces:
                yield each.target
                yield from self._known.dependants.get(each.target, ())

    def inherited(self, new_id: NewId) -> Iterator[Association]:
        """Put replacements into the folders of what they replace; each membership is the set's as well."""
        there = {(each.source, each.target) for each in self._submission.associations}
        for each in self._submission.associations:
            for folder in self._known.folders_of.get(each.target, ()) if each.type.replaces else ():
                if (folder, each.source) in there:
                    continue
                there.add((folder, each.source))
                member = _member(new_id, folder, each.source)
                yield member
                kept = _member(new_id, self._set_id, member.entry_uuid)
                yield replace(kept, member_kind=MemberKind.ORIGINAL)

    def fills_folder(self, each: Association) -> bool:
        """Whether a folder gains a document by it."""
        source = self._find(each.source)
        return each.type is AssociationType.HAS_MEMBER and source is not None and source.kind == "folder"

    def _find(self, id_: str) -> KnownObject | None:
        return self._here.get(id_) or self._known.objects.get(id_)

    def _unique_ids(self) -> Iterator[RegistryError]:
        for each in objects(self._submission):
            for other in self._known.unique_ids.get(each.unique_id, ()):
                if not isinstance(each, DocumentEntry) or other.kind != "document":
                    context = f"the uniqueId {each.unique_id} is registered already, as a {other.kind}"
                    yield RegistryError(
                        ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY, context, f"{each.entry_uuid}.uniqueId"
                    )
                elif other.person != self._person:
                    context = f"the document {each.unique_id} is registered already, for another patient"
                    location = f"{each.entry_uuid}.uniqueId"
                    yield RegistryError(ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY, context, location)
                elif _differ(each.hash, other.hash):
                    context = f"the document {each.unique_id} is registered already with another hash"
                    yield RegistryError(ErrorCode.NON_IDENTICAL_HASH, context, f"{each.entry_uuid}.hash")

    def _association(self, each: Association) -> Iterator[RegistryError]:
        source, target = self._find(each.source), self._find(each.target)
        if source is None or target is None:
            end = each.source if source is None else each.target
            context = f"{each.entry_uuid}: nothing here or in the registry has the id {end}"
            yield RegistryError(ErrorCode.UNRESOLVED_REFERENCE, context, each.entry_uuid)
        elif each.type is AssociationType.HAS_MEMBER:
            yield from self._membership(each, source, target)
        else:
            yield from self._relationship(each, source, target)

    def _membership(
        self, each: Association, source: KnownObject, target: KnownObject
    ) -> Iterator[RegistryError]:
        if source.kind == "submission_set":
            yield from self._set_member(each, target)
        elif source.kind != "folder" or target.kind != "document":
            yield _metadata(
                each.entry_uuid, "sourceObject", "a folder holds documents, a submission set anything"
            )
        else:
            yield from self._same_patient(each, source, target)
            yield from self._own(each, source, "put into a folder")
            yield from _usable(each, target)
            if not source.approved:
                yield _metadata(each.entry_uuid, "sourceObject", "the folder is deprecated: take another")

    def _set_member(self, each: Association, target: KnownObject) -> Iterator[RegistryError]:
        if each.source != self._set_id:
            yield _metadata(each.entry_uuid, "sourceObject", "an earlier submission set takes no new members")
        elif target.id not in self._here:
            if each.member_kind is MemberKind.ORIGINAL:
                what = "SubmissionSetStatus Original, but it is not in this submission: send Reference"
                yield _metadata(each.entry_uuid, "SubmissionSetStatus", what)
            yield from _usable(each, target)

    def _relationship(
        self, each: Association, source: KnownObject, target: KnownObject
    ) -> Iterator[RegistryError]:
        if source.kind != "document" or target.kind != "document":
            yield _metadata(each.entry_uuid, "sourceObject", "only documents are related so")
        elif source.id not in self._here:
            yield _metadata(
                each.entry_uuid, "sourceObject", "the source must be a document of this submission"
            )
        elif each.type.replaces and target.id in self._here:
            yield _metadata(each.entry_uuid, "targetObject", "what is replaced must be registered already")
        else:
            yield from self._same_patient(each, source, target)
            if each.type.replaces:
                yield from self._own(each, target, "replace a document")
            yield from _usable(each, target)

    def _own(self, each: Association, touched: KnownObject, what: str) -> Iterator[RegistryError]:
        """A campus changes what is its own; what it appends or transforms may be another's."""
        if touched.id in self._here or self._submitter is None or touched.owner == self._submitter:
            return
        text = f"{what} of another campus: only its own may; send an addendum (APND) in its place"
        yield _metadata(each.entry_uuid, "targetObject", text)

    def _same_patient(
        self, each: Association, source: KnownObject, target: KnownObject
    ) -> Iterator[RegistryError]:
        if source.person != target.person:
            context = f"{each.entry_uuid}: {each.source} and {each.target} are about different patients"
            yield RegistryError(ErrorCode.PATIENT_ID_DOES_NOT_MATCH, context, each.entry_uuid)


def _usable(each: Association, target: KnownObject) -> Iterator[RegistryError]:
    if not target.approved:
        context = f"{each.entry_uuid}: {target.id} is deprecated: relate to what replaced it"
        yield RegistryError(ErrorCode.REGISTRY_DEPRECATED_DOCUMENT, context, each.entry_uuid)


def _metadata(id_: str, attribute: str, what: str) -> RegistryError:
    return RegistryError(ErrorCode.REGISTRY_METADATA_ERROR, f"{id_}: {what}", f"{id_}.{attribute}")


def _member(new_id: NewId, source: str, target: str) -> Association:
    return Association(entry_uuid=new_id().urn, type=AssociationType.HAS_MEMBER, source=source, target=target)


def _differ(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one.lower() != other.lower()


def new_uuid() -> UUID:
    """Return a new random id."""
    return uuid.uuid4()
