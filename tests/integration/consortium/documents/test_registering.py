"""What a submission does to the registry: the checklist's lines 20 to 29."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from consortium.documents.asking import QueryId
from consortium.documents.errors import ErrorCode, RefusedError
from consortium.documents.model import (
    AnyObject,
    AssociationType,
    Availability,
    Code,
    MemberKind,
    ObjectType,
    PatientId,
    Slot,
    Submission,
    dtm,
)
from consortium.identity import service as identity
from consortium.records.model import Merge, Provenance
from tests.registered_documents import (
    APPROVED,
    NOW,
    Shelf,
    document,
    folder,
    member,
    patient_of,
    replacing,
)
from tests.shared_documents import CONSORTIUM, related, submission

CARD = "11010519491231002X"
ADDENDA = (AssociationType.APPENDS, AssociationType.TRANSFORMS, AssociationType.SIGNS)


@pytest.fixture
def shelf(connection: sa.Connection) -> Shelf:
    return Shelf(connection)


@pytest.fixture
def patient(connection: sa.Connection) -> PatientId:
    return patient_of(connection, "HP", "HP000123")


@pytest.fixture
def other(connection: sa.Connection) -> PatientId:
    return patient_of(connection, "HP", "HP000124", name="李四")


def refused(shelf: Shelf, what: Submission) -> set[ErrorCode]:
    """Return the errors of a submission that must be refused, and see that nothing of it was kept."""
    before = _counts(shelf.connection)
    with pytest.raises(RefusedError) as caught:
        shelf.register(what)
    assert _counts(shelf.connection) == before
    assert all(error.context for error in caught.value.errors)
    return {error.code for error in caught.value.errors}


def _counts(connection: sa.Connection) -> Sequence[int]:
    tables = ("entry", "submission_set", "folder", "association")
    return [
        connection.exec_driver_sql(f"SELECT count(*) FROM documents.{name}").scalar_one()  # noqa: S608
        for name in tables
    ]


def test_line_20_one_and_two_documents_are_registered(shelf: Shelf, patient: PatientId) -> None:
    first = shelf.register(submission(document(patient)))
    second = shelf.register(submission(document(patient), document(patient)))
    ids = {each.entry_uuid for each in (*first.documents, *second.documents)}
    assert set(shelf.documents(patient)) == ids
    assert len(ids) == 3
    assert all(shelf.status(id_) is Availability.APPROVED for id_ in ids)


def test_line_20_one_mistake_refuses_the_whole(shelf: Shelf, patient: PatientId) -> None:
    good, bad = document(patient), document(patient, hash="none")
    assert refused(shelf, submission(good, bad)) == {ErrorCode.REGISTRY_METADATA_ERROR}
    assert shelf.documents(patient) == []


def test_line_21_replacing_deprecates_the_original(shelf: Shelf, patient: PatientId) -> None:
    original = shelf.one(document(patient))
    new = shelf.register(replacing(original.entry_uuid, document(patient))).documents[0]
    assert shelf.status(original.entry_uuid) is Availability.DEPRECATED
    assert shelf.documents(patient) == [new.entry_uuid]


def test_line_21_the_replacement_is_in_every_folder_of_the_original(shelf: Shelf, patient: PatientId) -> None:
    held, first, second = document(patient), folder(patient), folder(patient)
    inside = tuple(member(each.entry_uuid, held.entry_uuid) for each in (first, second))
    made = shelf.register(submission(held, folders=(first, second), more=inside))
    shelf.now = NOW + timedelta(hours=1)
    by = shelf.register(replacing(made.documents[0].entry_uuid, document(patient))).documents[0]
    for each in made.folders:
        assert shelf.contents(each.entry_uuid) == {made.documents[0].entry_uuid, by.entry_uuid}
        assert shelf.folder(each.entry_uuid).last_update_time == dtm(shelf.now)


def test_line_21_what_hung_on_the_original_is_deprecated_with_it(shelf: Shelf, patient: PatientId) -> None:
    original = shelf.one(document(patient))
    addendum = shelf.register(
        replacing(original.entry_uuid, document(patient), AssociationType.APPENDS)
    ).documents[0]
    of_that = shelf.register(
        replacing(addendum.entry_uuid, document(patient), AssociationType.TRANSFORMS)
    ).documents[0]
    shelf.register(replacing(original.entry_uuid, document(patient)))
    assert shelf.status(addendum.entry_uuid) is Availability.DEPRECATED
    assert shelf.status(of_that.entry_uuid) is Availability.DEPRECATED


@pytest.mark.parametrize("how", ADDENDA)
def test_line_22_append_transform_and_sign_leave_the_original(
    shelf: Shelf, patient: PatientId, how: AssociationType
) -> None:
    original = shelf.one(document(patient))
    new = shelf.register(replacing(original.entry_uuid, document(patient), how)).documents[0]
    assert shelf.status(original.entry_uuid) is Availability.APPROVED
    related_ = shelf.find(
        QueryId.GET_RELATED_DOCUMENTS,
        XDSDocumentEntryEntryUUID=original.entry_uuid,
        AssociationTypes=how.value,
    )
    assert {each.entry_uuid for each in related_.documents} == {original.entry_uuid, new.entry_uuid}
    assert [each.type for each in related_.associations] == [how]


def test_line_22_transform_and_replace_deprecates(shelf: Shelf, patient: PatientId) -> None:
    original = shelf.one(document(patient))
    shelf.register(replacing(original.entry_uuid, document(patient), AssociationType.TRANSFORMS_AND_REPLACES))
    assert shelf.status(original.entry_uuid) is Availability.DEPRECATED


@pytest.mark.parametrize("how", [*ADDENDA, AssociationType.REPLACES, AssociationType.TRANSFORMS_AND_REPLACES])
def test_line_22_a_deprecated_target_is_refused(
    shelf: Shelf, patient: PatientId, how: AssociationType
) -> None:
    original = shelf.one(document(patient))
    shelf.register(replacing(original.entry_uuid, document(patient)))
    again = replacing(original.entry_uuid, document(patient), how)
    assert refused(shelf, again) == {ErrorCode.REGISTRY_DEPRECATED_DOCUMENT}


@pytest.mark.parametrize(
    "unknown",
    [
        PatientId(str(uuid.UUID(int=7)), CONSORTIUM),
        PatientId("HP000123", CONSORTIUM),
        PatientId("HP000123", "1.2.156.10011.99.2"),
    ],
)
def test_line_23_an_unknown_patient_is_refused(shelf: Shelf, unknown: PatientId) -> None:
    assert refused(shelf, submission(document(unknown))) == {ErrorCode.UNKNOWN_PATIENT_ID}


def test_line_23_set_and_document_of_different_patients(
    shelf: Shelf, patient: PatientId, other: PatientId
) -> None:
    mixed = submission(document(other), patient=patient)
    assert refused(shelf, mixed) == {ErrorCode.PATIENT_ID_DOES_NOT_MATCH}


def test_line_23_a_replacement_under_another_patient(
    shelf: Shelf, patient: PatientId, other: PatientId
) -> None:
    original = shelf.one(document(patient))
    foreign = replacing(original.entry_uuid, document(other))
    assert refused(shelf, foreign) == {ErrorCode.PATIENT_ID_DOES_NOT_MATCH}
    assert shelf.status(original.entry_uuid) is Availability.APPROVED


def test_line_23_a_folder_of_another_patient(shelf: Shelf, patient: PatientId, other: PatientId) -> None:
    new = submission(document(patient), folders=(folder(other),))
    assert refused(shelf, new) == {ErrorCode.PATIENT_ID_DOES_NOT_MATCH}
    theirs = shelf.register(submission(patient=other, folders=(folder(other),))).folders[0]
    mine = document(patient)
    added = submission(mine, more=(member(theirs.entry_uuid, mine.entry_uuid),))
    assert refused(shelf, added) == {ErrorCode.PATIENT_ID_DOES_NOT_MATCH}


def test_line_24_an_empty_folder(shelf: Shelf, patient: PatientId) -> None:
    stated = folder(patient, last_update_time="19990101")
    made = shelf.register(submission(patient=patient, folders=(stated,))).folders[0]
    assert shelf.contents(made.entry_uuid) == set()
    assert shelf.folder(made.entry_uuid).last_update_time == dtm(NOW)


def test_line_24_content_at_once_and_later(shelf: Shelf, patient: PatientId) -> None:
    held, holder = document(patient), folder(patient)
    made = shelf.register(
        submission(held, folders=(holder,), more=(member(holder.entry_uuid, held.entry_uuid),))
    )
    folder_id, first = made.folders[0].entry_uuid, made.documents[0].entry_uuid
    assert shelf.contents(folder_id) == {first}
    shelf.now = NOW + timedelta(minutes=5)
    new = document(patient)
    second = shelf.register(submission(new, more=(member(folder_id, new.entry_uuid),))).documents[0]
    assert shelf.contents(folder_id) == {first, second.entry_uuid}
    assert shelf.folder(folder_id).last_update_time == dtm(shelf.now)


def test_line_24_a_registered_document_into_a_registered_folder(shelf: Shelf, patient: PatientId) -> None:
    held = shelf.one(document(patient)).entry_uuid
    holder = shelf.register(submission(patient=patient, folders=(folder(patient),))).folders[0].entry_uuid
    joined = member(holder, held)
    made = submission(patient=patient, more=(joined,))
    kept = member(made.submission_set.entry_uuid, joined.entry_uuid, member_kind=MemberKind.ORIGINAL)
    shelf.register(replace(made, associations=(*made.associations, kept)))
    assert shelf.contents(holder) == {held}


def test_line_25_the_same_document_again_is_accepted(shelf: Shelf, patient: PatientId) -> None:
    first = document(patient)
    again = document(patient, unique_id=first.unique_id, hash=first.hash and first.hash.upper())
    shelf.one(first)
    shelf.one(again)
    found = shelf.find(QueryId.GET_DOCUMENTS, XDSDocumentEntryUniqueId=first.unique_id)
    assert len(found.documents) == 2


def test_line_25_another_content_under_the_same_id_is_refused(shelf: Shelf, patient: PatientId) -> None:
    first = shelf.one(document(patient))
    changed = document(patient, unique_id=first.unique_id, hash="0" * 40)
    assert refused(shelf, submission(changed)) == {ErrorCode.NON_IDENTICAL_HASH}


def test_line_25_set_and_folder_ids_are_used_once(shelf: Shelf, patient: PatientId) -> None:
    made = shelf.register(submission(document(patient), folders=(folder(patient),)))
    again = submission(document(patient))
    same_set = replace(
        again, submission_set=replace(again.submission_set, unique_id=made.submission_set.unique_id)
    )
    assert refused(shelf, same_set) == {ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY}
    same_folder = folder(patient, unique_id=made.folders[0].unique_id)
    assert refused(shelf, submission(document(patient), folders=(same_folder,))) == {
        ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY
    }


def test_line_26_symbolic_ids_become_uuids(shelf: Shelf, patient: PatientId) -> None:
    held, holder = document(patient), folder(patient)
    sent = submission(held, folders=(holder,), more=(member(holder.entry_uuid, held.entry_uuid),))
    made = shelf.register(sent)
    every: list[AnyObject] = [made.submission_set, *made.documents, *made.folders, *made.associations]
    ids = {each.entry_uuid for each in every}
    assert len(ids) == len(every)
    assert all(uuid.UUID(id_.removeprefix("urn:uuid:")).urn == id_ for id_ in ids)
    assert {end for each in made.associations for end in (each.source, each.target)} <= ids
    assert shelf.document(made.documents[0].entry_uuid).logical_id == made.documents[0].entry_uuid


def test_line_26_a_uuid_of_the_source_is_kept_and_taken_once(shelf: Shelf, patient: PatientId) -> None:
    own = uuid.uuid4().urn
    assert (
        shelf.one(document(patient, entry_uuid=own.upper().replace("URN:UUID:", "urn:uuid:"))).entry_uuid
        == own
    )
    assert refused(shelf, submission(document(patient, entry_uuid=own))) == {
        ErrorCode.REGISTRY_METADATA_ERROR
    }


def test_line_27_extra_slots_are_kept_and_given_back(shelf: Shelf, patient: PatientId) -> None:
    slots = (Slot("urn:yilian:院区流水号", ("一", "二")), Slot("urn:x:empty", ()))
    made = shelf.one(document(patient, slots=slots))
    assert shelf.document(made.entry_uuid).slots == slots


def test_line_27_an_association_keeps_its_classification(shelf: Shelf, patient: PatientId) -> None:
    original, new = shelf.one(document(patient)), document(patient)
    code = Code("correction", f"{CONSORTIUM}.28", "更正")
    relation = replace(related(new, original.entry_uuid, AssociationType.APPENDS), documentation=code)
    shelf.register(submission(new, more=(relation,)))
    found = shelf.find(QueryId.GET_ASSOCIATIONS, uuid=original.entry_uuid).associations
    assert [each.documentation for each in found if each.type is AssociationType.APPENDS] == [code]


MISTAKES: dict[str, tuple[Callable[[PatientId], Submission], ErrorCode]] = {
    "no hash": (lambda p: submission(document(p, hash=None)), ErrorCode.REGISTRY_METADATA_ERROR),
    "bad hash": (lambda p: submission(document(p, hash="xyz")), ErrorCode.REGISTRY_METADATA_ERROR),
    "bad oid": (lambda p: submission(document(p, unique_id="1.02.3")), ErrorCode.REGISTRY_METADATA_ERROR),
    "bad time": (
        lambda p: submission(document(p, creation_time="20261301")),
        ErrorCode.REGISTRY_METADATA_ERROR,
    ),
    "no language": (lambda p: submission(document(p, language_code=None)), ErrorCode.REGISTRY_METADATA_ERROR),
    "no classification": (
        lambda p: submission(document(p, confidentiality_codes=())),
        ErrorCode.REGISTRY_METADATA_ERROR,
    ),
    "foreign code": (
        lambda p: submission(document(p, class_code=Code("discharge", "1.2.3"))),
        ErrorCode.REGISTRY_METADATA_ERROR,
    ),
    "mime type": (
        lambda p: submission(document(p, mime_type="application/x-msdownload")),
        ErrorCode.REGISTRY_METADATA_ERROR,
    ),
    "unknown reference": (
        lambda p: replacing(uuid.UUID(int=9).urn, document(p)),
        ErrorCode.UNRESOLVED_REFERENCE,
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_line_28_mistakes_are_refused_by_their_code(shelf: Shelf, patient: PatientId, name: str) -> None:
    make, code = MISTAKES[name]
    assert refused(shelf, make(patient)) == {code}


def test_line_28_an_id_twice_in_the_message(shelf: Shelf, patient: PatientId) -> None:
    one = document(patient)
    same = document(patient, unique_id=one.unique_id)
    assert refused(shelf, submission(one, same)) == {ErrorCode.REGISTRY_DUPLICATE_UNIQUE_ID}


def test_line_28_a_busy_registry_gives_up_waiting(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consortium.documents.service.PATIENCE", "100ms")
    with engine.connect() as connection:
        patient = patient_of(connection, "HP", "HP000123")
        connection.commit()
        first = submission(document(patient))
        Shelf(connection).register(first)
        with engine.connect() as second, pytest.raises(RefusedError) as caught:
            Shelf(second).register(first)
    assert [error.code for error in caught.value.errors] == [ErrorCode.REGISTRY_BUSY]


def test_line_29_a_merge_moves_what_queries_give_and_no_row(shelf: Shelf, connection: sa.Connection) -> None:
    surviving = patient_of(connection, "MAIN", "M1", id_card=CARD)
    lonely = patient_of(connection, "HP", "HP000123")
    made = shelf.one(document(lonely))
    assert shelf.documents(surviving) == []
    assert patient_of(connection, "HP", "HP000123", id_card=CARD) == surviving
    assert shelf.documents(surviving) == [made.entry_uuid]
    assert shelf.documents(lonely) == []
    assert shelf.document(made.entry_uuid).patient_id == surviving
    assert refused(shelf, submission(document(lonely))) == {ErrorCode.UNKNOWN_PATIENT_ID}


def test_line_29_an_undone_merge_gives_each_their_documents_back(
    shelf: Shelf, connection: sa.Connection
) -> None:
    one, two = patient_of(connection, "HP", "HP000123"), patient_of(connection, "HP", "HP000124", name="李四")
    provenance = Provenance(message_id=2, facility="HP", received_at=NOW)
    theirs = shelf.one(document(two, source_patient_id=PatientId("HP000124", "1.2.156.10011.99.2")))
    identity.merge(connection, "HP", Merge(surviving="HP000123", retired="HP000124"), provenance)
    meanwhile = shelf.one(document(one))
    assert set(shelf.documents(one)) == {theirs.entry_uuid, meanwhile.entry_uuid}
    identity.unmerge(connection, "HP", "HP000124", provenance)
    assert shelf.documents(one) == [meanwhile.entry_uuid]
    assert shelf.documents(two) == [theirs.entry_uuid]


def test_line_29_a_folder_goes_on_after_a_merge(shelf: Shelf, connection: sa.Connection) -> None:
    surviving = patient_of(connection, "MAIN", "M1", id_card=CARD)
    lonely = patient_of(connection, "HP", "HP000123")
    holder = shelf.register(submission(patient=lonely, folders=(folder(lonely),))).folders[0].entry_uuid
    patient_of(connection, "HP", "HP000123", id_card=CARD)
    new = document(surviving)
    added = shelf.register(submission(new, more=(member(holder, new.entry_uuid),))).documents[0]
    assert shelf.contents(holder) == {added.entry_uuid}
    found = shelf.find(QueryId.FIND_FOLDERS, XDSFolderPatientId=str(surviving), XDSFolderStatus=APPROVED)
    assert [each.entry_uuid for each in found.folders] == [holder]


def test_line_37_an_on_demand_document_is_refused_and_nothing_of_it_is_kept(
    shelf: Shelf, patient: PatientId
) -> None:
    made_later = document(patient, object_type=ObjectType.ON_DEMAND, hash=None, size=None)
    assert refused(shelf, submission(made_later)) == {ErrorCode.REGISTRY_METADATA_ERROR}
