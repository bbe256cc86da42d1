"""What stored queries find: the checklist's lines 30 to 32."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from consortium.documents import columns, criteria, service
from consortium.documents.asking import QueryId, Return, StoredQuery
from consortium.documents.errors import ErrorCode, RefusedError
from consortium.documents.hl7types import instant
from consortium.documents.model import (
    AssociationType,
    Author,
    Code,
    DocumentEntry,
    MemberKind,
    PatientId,
    dtm,
)
from consortium.documents.recorded import unique_id
from consortium.documents.search import Scope, Search
from consortium.documents.service import Registry
from consortium.records.model import Coded
from tests.registered_documents import (
    APPROVED,
    CONTENT,
    DEPRECATED,
    DOMAIN,
    NOW,
    REPOSITORY,
    Shelf,
    document,
    folder,
    member,
    patient_of,
    record,
    replacing,
)
from tests.shared_documents import CONSORTIUM, submission

LAB = DOMAIN.code("class", "lab")
CT, MR = DOMAIN.code("event", "CT"), DOMAIN.code("event", "MR")
RESTRICTED, NORMAL = DOMAIN.code("confidentiality", "R"), DOMAIN.code("confidentiality", "N")
REFERENCE = "V20261120^^^&1.2.156.10011.99.2.1&ISO^urn:ihe:iti:xds:2013:accession"
DOC, SET, FOLDER = "XDSDocumentEntry", "XDSSubmissionSet", "XDSFolder"
coded = columns.coded


@pytest.fixture
def shelf(connection: sa.Connection) -> Shelf:
    return Shelf(connection)


@pytest.fixture
def patient(connection: sa.Connection) -> PatientId:
    return patient_of(connection, "HP", "HP000123")


@pytest.fixture
def other(connection: sa.Connection) -> PatientId:
    return patient_of(connection, "HP", "HP000124", name="李四")


def code_of(caught: pytest.ExceptionInfo[RefusedError]) -> ErrorCode:
    (error,) = caught.value.errors
    return error.code


def ids(objects: Sequence[Any]) -> set[str]:
    return {each.entry_uuid for each in objects}


def test_line_30_find_documents_narrows_by_each_code(shelf: Shelf, patient: PatientId) -> None:
    plain = shelf.one(document(patient)).entry_uuid
    lab = shelf.one(document(patient, class_code=LAB, confidentiality_codes=(RESTRICTED,))).entry_uuid
    assert shelf.documents(patient, XDSDocumentEntryClassCode=coded(LAB)) == [lab]
    either = [coded(LAB), coded(DOMAIN.code("class", "discharge"))]
    assert set(shelf.documents(patient, XDSDocumentEntryClassCode=either)) == {plain, lab}
    assert shelf.documents(patient, XDSDocumentEntryConfidentialityCode=coded(RESTRICTED)) == [lab]
    for name in ("TypeCode", "FormatCode", "PracticeSettingCode", "HealthcareFacilityTypeCode"):
        assert shelf.documents(patient, **{f"XDSDocumentEntry{name}": "nothing^^1.2.3"}) == []


def test_line_30_codes_of_one_slot_are_or_and_slots_are_and(shelf: Shelf, patient: PatientId) -> None:
    both = shelf.one(document(patient, event_codes=(CT, MR))).entry_uuid
    one = shelf.one(document(patient, event_codes=(CT,))).entry_uuid
    wanted = [coded(CT), coded(MR)]
    assert set(shelf.documents(patient, XDSDocumentEntryEventCodeList=wanted)) == {both, one}
    every = ([coded(CT)], [coded(MR)])
    assert shelf.documents(patient, XDSDocumentEntryEventCodeList=every) == [both]


def test_line_30_times_begin_inclusive_and_end_exclusive(shelf: Shelf, patient: PatientId) -> None:
    made = shelf.one(document(patient, creation_time="20261120", service_start_time="202611")).entry_uuid

    def within(name: str, since: str, before: str) -> list[str]:
        bounds = {f"XDSDocumentEntry{name}From": since, f"XDSDocumentEntry{name}To": before}
        return shelf.documents(patient, **bounds)

    assert within("CreationTime", "20261120000000", "20261120000001") == [made]
    assert within("CreationTime", "20261119", "20261120") == []
    assert within("ServiceStartTime", "2026", "2027") == [made]
    assert within("ServiceStopTime", "2026", "2027") == []


def test_line_30_authors_are_matched_as_like_does(shelf: Shelf, patient: PatientId) -> None:
    made = shelf.one(document(patient, authors=(Author("D7^欧阳^娜娜"), Author("D8^O'Brien%"))))
    like = lambda text: shelf.documents(patient, XDSDocumentEntryAuthorPerson=text)  # noqa: E731
    assert like("D7^欧阳^娜_") == like("%欧阳%") == like(["nobody", "D8%"]) == [made.entry_uuid]
    assert like("欧阳") == like("d7%") == like("D_") == []


def test_line_30_by_status(shelf: Shelf, patient: PatientId) -> None:
    old = shelf.one(document(patient)).entry_uuid
    new = shelf.register(replacing(old, document(patient))).documents[0].entry_uuid
    assert shelf.documents(patient, XDSDocumentEntryStatus=APPROVED) == [new]
    assert shelf.documents(patient, XDSDocumentEntryStatus=DEPRECATED) == [old]
    assert set(shelf.documents(patient, XDSDocumentEntryStatus=[APPROVED, DEPRECATED])) == {old, new}


def test_line_30_by_reference_id(shelf: Shelf, patient: PatientId) -> None:
    made = shelf.one(document(patient, reference_ids=(REFERENCE, "X^^^&1.2&ISO^urn:y"))).entry_uuid
    shelf.one(document(patient))
    asked: dict[str, Any] = {f"{DOC}PatientId": str(patient), f"{DOC}Status": APPROVED}
    found = shelf.find(
        QueryId.FIND_DOCUMENTS_BY_REFERENCE_ID, **asked, XDSDocumentEntryReferenceIdList=REFERENCE
    )
    assert ids(found.documents) == {made}
    with pytest.raises(RefusedError) as caught:
        shelf.find(QueryId.FIND_DOCUMENTS_BY_REFERENCE_ID, **asked)
    assert code_of(caught) is ErrorCode.STORED_QUERY_MISSING_PARAMETER


def test_line_30_find_submission_sets(shelf: Shelf, patient: PatientId) -> None:
    made = shelf.register(submission(document(patient))).submission_set
    asked: dict[str, Any] = {f"{SET}PatientId": str(patient), f"{SET}Status": APPROVED}

    def found(**more: Any) -> bool:
        answer = shelf.find(QueryId.FIND_SUBMISSION_SETS, **asked, **more)
        return ids(answer.submission_sets) == {made.entry_uuid}

    assert found()
    assert found(XDSSubmissionSetSourceId=made.source_id, XDSSubmissionSetAuthorPerson="%张%")
    assert found(XDSSubmissionSetContentType=coded(made.content_type_code))
    assert found(XDSSubmissionSetSubmissionTimeFrom="20261120", XDSSubmissionSetSubmissionTimeTo="20261121")
    assert not found(XDSSubmissionSetSourceId="1.2.3")
    assert not found(XDSSubmissionSetSubmissionTimeFrom="20261121")


def test_line_30_find_folders(shelf: Shelf, patient: PatientId) -> None:
    made = shelf.register(submission(patient=patient, folders=(folder(patient),))).folders[0]
    asked: dict[str, Any] = {f"{FOLDER}PatientId": str(patient), f"{FOLDER}Status": APPROVED}

    def found(**more: Any) -> bool:
        return ids(shelf.find(QueryId.FIND_FOLDERS, **asked, **more).folders) == {made.entry_uuid}

    assert found()
    assert found(XDSFolderCodeList=coded(made.codes[0]), XDSFolderLastUpdateTimeFrom=dtm(NOW))
    assert not found(XDSFolderLastUpdateTimeTo=dtm(NOW))
    assert not found(XDSFolderCodeList="referral^^1.2.3")


def test_line_30_get_all(shelf: Shelf, patient: PatientId, other: PatientId) -> None:
    held, holder = document(patient), folder(patient)
    made = shelf.register(
        submission(held, folders=(holder,), more=(member(holder.entry_uuid, held.entry_uuid),))
    )
    shelf.one(document(other))
    statuses: dict[str, Any] = {f"{kind}Status": APPROVED for kind in (DOC, SET, FOLDER)}
    found = shelf.find(QueryId.GET_ALL, patientId=str(patient), **statuses)
    assert ids(found.documents) == ids(made.documents)
    assert ids(found.submission_sets) == {made.submission_set.entry_uuid}
    assert ids(found.folders) == ids(made.folders)
    assert ids(found.associations) == ids(made.associations)
    narrowed = shelf.find(
        QueryId.GET_ALL,
        patientId=str(patient),
        **statuses,
        XDSDocumentEntryConfidentialityCode=coded(RESTRICTED),
    )
    assert narrowed.documents == ()
    assert narrowed.folders


def test_line_30_get_documents_and_associations(shelf: Shelf, patient: PatientId) -> None:
    old = shelf.one(document(patient))
    new = shelf.register(replacing(old.entry_uuid, document(patient)))
    by_uuid = shelf.find(QueryId.GET_DOCUMENTS_AND_ASSOCIATIONS, XDSDocumentEntryEntryUUID=old.entry_uuid)
    by_id = shelf.find(QueryId.GET_DOCUMENTS_AND_ASSOCIATIONS, XDSDocumentEntryUniqueId=old.unique_id)
    assert by_uuid == by_id
    assert ids(by_uuid.documents) == {old.entry_uuid}
    assert {each.type for each in by_uuid.associations} == {
        AssociationType.HAS_MEMBER,
        AssociationType.REPLACES,
    }
    found = shelf.find(QueryId.GET_ASSOCIATIONS, uuid=[new.documents[0].entry_uuid])
    assert ids(found.associations) == ids(new.associations)
    assert found.persons == {UUID(patient.number)}


def test_line_30_get_submission_sets(shelf: Shelf, patient: PatientId) -> None:
    one = shelf.register(submission(document(patient)))
    two = shelf.register(submission(document(patient)))
    later = submission(document(patient))
    joined = member(
        later.submission_set.entry_uuid, one.documents[0].entry_uuid, member_kind=MemberKind.REFERENCE
    )
    three = shelf.register(submission(*later.documents, more=(joined,)))
    found = shelf.find(QueryId.GET_SUBMISSION_SETS, uuid=one.documents[0].entry_uuid)
    assert ids(found.submission_sets) == {one.submission_set.entry_uuid, three.submission_set.entry_uuid}
    assert two.submission_set.entry_uuid not in ids(found.submission_sets)
    assert {each.member_kind for each in found.associations} == set(MemberKind)


def test_line_30_get_submission_set_and_contents(shelf: Shelf, patient: PatientId) -> None:
    open_, closed = document(patient), document(patient, confidentiality_codes=(RESTRICTED,))
    holder = folder(patient)
    inside = tuple(member(holder.entry_uuid, each.entry_uuid) for each in (open_, closed))
    made = shelf.register(submission(open_, closed, folders=(holder,), more=inside))
    set_id = made.submission_set
    whole = shelf.find(QueryId.GET_SUBMISSION_SET_AND_CONTENTS, XDSSubmissionSetUniqueId=set_id.unique_id)
    assert ids(whole.documents) == ids(made.documents)
    assert ids(whole.folders) == ids(made.folders)
    assert ids(whole.associations) == ids(made.associations)
    part = shelf.find(
        QueryId.GET_SUBMISSION_SET_AND_CONTENTS,
        XDSSubmissionSetEntryUUID=set_id.entry_uuid,
        XDSDocumentEntryConfidentialityCode=coded(NORMAL),
    )
    assert ids(part.documents) == {made.documents[0].entry_uuid}
    assert made.documents[1].entry_uuid not in {each.target for each in part.associations}


def test_line_30_get_folder_and_contents_and_folders_for_document(shelf: Shelf, patient: PatientId) -> None:
    held, holder = document(patient), folder(patient)
    made = shelf.register(
        submission(held, folders=(holder,), more=(member(holder.entry_uuid, held.entry_uuid),))
    )
    found = shelf.find(QueryId.GET_FOLDER_AND_CONTENTS, XDSFolderUniqueId=made.folders[0].unique_id)
    assert ids(found.folders) == ids(made.folders)
    assert ids(found.documents) == ids(made.documents)
    assert [each.type for each in found.associations] == [AssociationType.HAS_MEMBER]
    of = shelf.find(QueryId.GET_FOLDERS_FOR_DOCUMENT, XDSDocumentEntryUniqueId=made.documents[0].unique_id)
    assert ids(of.folders) == ids(made.folders)


def test_line_30_related_documents_of_a_lonely_one_are_none(shelf: Shelf, patient: PatientId) -> None:
    alone = shelf.one(document(patient))
    found = shelf.find(
        QueryId.GET_RELATED_DOCUMENTS,
        XDSDocumentEntryEntryUUID=alone.entry_uuid,
        AssociationTypes=[AssociationType.REPLACES.value],
    )
    assert found.ids() == ()


def test_line_30_multi_patient_queries(shelf: Shelf, patient: PatientId, other: PatientId) -> None:
    mine = shelf.one(document(patient, event_codes=(CT,))).entry_uuid
    theirs = shelf.one(document(other, event_codes=(CT,))).entry_uuid
    shelf.register(submission(patient=other, folders=(folder(other),)))
    both = [str(patient), str(other)]
    query = QueryId.FIND_DOCUMENTS_FOR_MULTIPLE_PATIENTS
    found = shelf.find(query, XDSDocumentEntryPatientId=both, XDSDocumentEntryStatus=APPROVED)
    assert ids(found.documents) == {mine, theirs}
    assert len(found.persons) == 2
    of_all = shelf.find(query, XDSDocumentEntryEventCodeList=coded(CT), XDSDocumentEntryStatus=APPROVED)
    assert ids(of_all.documents) == {mine, theirs}
    folders = shelf.find(
        QueryId.FIND_FOLDERS_FOR_MULTIPLE_PATIENTS, XDSFolderPatientId=both, XDSFolderStatus=APPROVED
    )
    assert len(folders.folders) == 1
    with pytest.raises(RefusedError) as caught:
        shelf.find(query, XDSDocumentEntryStatus=APPROVED)
    assert code_of(caught) is ErrorCode.STORED_QUERY_MISSING_PARAMETER


def test_line_31_too_many_results(connection: sa.Connection, patient: PatientId) -> None:
    shelf = Shelf(connection, Registry(DOMAIN, REPOSITORY, most=2))
    asked: dict[str, Any] = {f"{DOC}PatientId": str(patient), f"{DOC}Status": APPROVED}
    for _ in range(3):
        shelf.one(document(patient))
    with pytest.raises(RefusedError) as caught:
        shelf.find(QueryId.FIND_DOCUMENTS, **asked)
    assert code_of(caught) is ErrorCode.TOO_MANY_RESULTS
    assert len(shelf.find(QueryId.FIND_DOCUMENTS, Return.OBJECT_REF, **asked).ids()) == 3


def test_line_31_a_patient_of_another_domain_is_told_to_ask_pix(shelf: Shelf) -> None:
    with pytest.raises(RefusedError) as caught:
        shelf.documents(PatientId("HP000123", "1.2.156.10011.99.2"))
    assert code_of(caught) is ErrorCode.UNKNOWN_PATIENT_ID
    assert shelf.documents(PatientId(str(UUID(int=7)), CONSORTIUM)) == []


def test_line_32_whole_objects_of_several_patients_are_refused(
    shelf: Shelf, patient: PatientId, other: PatientId
) -> None:
    both = [shelf.one(document(each)).entry_uuid for each in (patient, other)]
    with pytest.raises(RefusedError) as caught:
        shelf.find(QueryId.GET_DOCUMENTS, XDSDocumentEntryEntryUUID=both)
    assert code_of(caught) is ErrorCode.RESULT_NOT_SINGLE_PATIENT
    found = shelf.find(QueryId.GET_DOCUMENTS, Return.OBJECT_REF, XDSDocumentEntryEntryUUID=both)
    assert set(found.ids()) == set(both)


def test_recorded_documents_are_found_beside_the_registered(
    shelf: Shelf, patient: PatientId, connection: sa.Connection
) -> None:
    id_ = record(connection, "DOC1")
    older = shelf.one(document(patient, creation_time="2026")).entry_uuid
    newer = shelf.one(document(patient, creation_time="20261125")).entry_uuid
    assert shelf.documents(patient) == [newer, id_.urn, older]
    found = shelf.document(id_.urn)
    assert found.hash == hashlib.sha1(CONTENT, usedforsecurity=False).hexdigest()
    assert (found.size, found.mime_type, found.language_code) == (len(CONTENT), "text/xml", "zh-CN")
    assert found.class_code == DOMAIN.code("class", "discharge")
    assert found.type_code == DOMAIN.code("type", "C0053")
    assert found.source_patient_id == PatientId("HP000123", "1.2.156.10011.99.2")
    assert found.patient_id == patient
    assert shelf.documents(patient, XDSDocumentEntryClassCode=coded(LAB)) == []
    by_unique_id = shelf.find(QueryId.GET_DOCUMENTS, XDSDocumentEntryUniqueId=unique_id(id_))
    assert by_unique_id.documents == (found,)


def test_a_recorded_document_keeps_its_type_whatever_it_is_from(
    shelf: Shelf, patient: PatientId, connection: sa.Connection
) -> None:
    loinc = record(connection, "DOC1", b"1", type_=Coded(code="18842-5", system="http://loinc.org"))
    own = record(connection, "DOC2", b"2", type_=Coded(code="D02", name="出院小结"))
    discharge, other = DOMAIN.code("class", "discharge"), DOMAIN.code("class", "other")
    known, unknown = shelf.document(loinc.urn), shelf.document(own.urn)
    assert known.type_code.scheme == DOMAIN.code("type", "18842-5").scheme
    assert unknown.type_code == Code("D02", "1.2.156.10011.99.2.9", "出院小结")
    assert (known.class_code, unknown.class_code) == (discharge, other)
    assert shelf.documents(patient, XDSDocumentEntryTypeCode=coded(unknown.type_code)) == [own.urn]


def test_a_recorded_document_is_replaced_by_its_successor_or_by_a_submission(
    shelf: Shelf, patient: PatientId, connection: sa.Connection
) -> None:
    first, second = record(connection, "DOC1"), record(connection, "DOC2", b"<b/>", replaces="DOC1")
    assert shelf.documents(patient) == [second.urn]
    found = shelf.find(
        QueryId.GET_RELATED_DOCUMENTS,
        XDSDocumentEntryEntryUUID=first.urn,
        AssociationTypes=AssociationType.REPLACES.value,
    )
    assert ids(found.documents) == {first.urn, second.urn}
    new = shelf.register(replacing(second.urn, document(patient))).documents[0].entry_uuid
    assert shelf.documents(patient) == [new]
    with pytest.raises(RefusedError) as caught:
        shelf.register(replacing(second.urn, document(patient)))
    assert code_of(caught) is ErrorCode.REGISTRY_DEPRECATED_DOCUMENT


_CODES = st.sampled_from([LAB, DOMAIN.code("class", "discharge")])
_EVENTS = st.lists(st.sampled_from([CT, MR, Code("US", CT.scheme)]), max_size=3, unique=True).map(tuple)
_TIMES = st.sampled_from([None, "2026", "202611", "20261120", "20261120093000", "20261121"])
_PEOPLE = st.sampled_from(["D1^张^珅", "D2^欧_阳", "D3^100%", "a\\b"])
_ENTRIES = st.builds(
    lambda **kwargs: document(**kwargs),
    class_code=_CODES,
    event_codes=_EVENTS,
    creation_time=_TIMES.filter(bool),
    service_start_time=_TIMES,
    authors=st.lists(_PEOPLE.map(Author), max_size=2).map(tuple),
)
_BETWEEN = st.tuples(st.sampled_from(["creation_time", "service_start_time"]), _TIMES, _TIMES)
_CONDITIONS = st.lists(
    st.one_of(
        st.builds(criteria.AnyOf, st.just("class_code"), st.lists(_CODES.map(coded), min_size=1).map(tuple)),
        _EVENTS.filter(bool).map(lambda codes: criteria.AnyOf("event_codes", tuple(map(coded, codes)))),
        st.lists(st.sampled_from(["%张%", "D_^%", "D2^欧_阳", "%\\%", "%"]), min_size=1).map(
            lambda patterns: criteria.Like("author_persons", tuple(patterns))
        ),
        _BETWEEN.map(lambda each: criteria.Between(each[0], *(instant(text or "") for text in each[1:]))),
    ),
    max_size=3,
)


def test_the_tables_find_what_matching_says(connection: sa.Connection, patient: PatientId) -> None:
    """PostgreSQL and `criteria.matches`, which recorded documents go through, agree."""
    search = Search(connection, CONSORTIUM, 100)

    @settings(max_examples=40)
    @given(st.lists(_ENTRIES, max_size=4), _CONDITIONS)
    def agree(entries: list[DocumentEntry], conditions: list[criteria.Condition]) -> None:
        with connection.begin_nested() as savepoint:
            fresh = [document(patient, **_searched(each)) for each in entries]
            made = Shelf(connection).register(submission(*fresh, patient=patient)).documents
            found = search.documents(Scope(), conditions)
            wanted = tuple(conditions)
            matching = [each for each in made if criteria.matches(columns.of_document(each), wanted)]
            assert {each.object.entry_uuid for each in found} == ids(matching)
            savepoint.rollback()

    agree()


def _searched(each: DocumentEntry) -> dict[str, Any]:
    names = ("class_code", "event_codes", "creation_time", "service_start_time", "authors")
    return {name: getattr(each, name) for name in names}


@pytest.mark.parametrize("query", QueryId)
def test_line_31_every_query_that_lacks_its_parameters_says_so(shelf: Shelf, query: QueryId) -> None:
    with pytest.raises(RefusedError) as caught:
        shelf.find(query)
    assert code_of(caught) is ErrorCode.STORED_QUERY_MISSING_PARAMETER


def test_line_31_an_unknown_query(shelf: Shelf) -> None:
    with pytest.raises(RefusedError) as caught:
        service.find(shelf.connection, shelf.registry, StoredQuery("urn:uuid:0", {}, Return.LEAF_CLASS))
    assert code_of(caught) is ErrorCode.UNKNOWN_STORED_QUERY
