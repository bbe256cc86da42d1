"""What a submission does, decided without a database."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from consortium.documents.checking import check
from consortium.documents.errors import ErrorCode, RefusedError
from consortium.documents.hl7types import instant, is_oid, patient_id
from consortium.documents.model import AssociationType, MemberKind, PatientId, Submission, dtm
from consortium.documents.registering import Known, KnownObject, Plan, decide, with_uuids
from consortium.documents.whose import Linked, standing_for
from consortium.identity.model import own_person
from tests.registered_documents import DOMAIN, NOW, WANG, document, folder, member, person, replacing
from tests.shared_documents import submission

OLD, HOLDER = UUID(int=1 << 100).urn, UUID(int=2 << 100).urn
HERE = person(WANG)


def known(*objects: KnownObject, **more: object) -> Known:
    return Known({each.id: each for each in objects}, **more)  # type: ignore[arg-type]


def planned(what: Submission, held: Known) -> Plan:
    numbers = itertools.count(1)
    new_id = lambda: UUID(int=next(numbers))  # noqa: E731
    return decide(with_uuids(what, new_id), HERE, held, NOW, new_id)


def refused(what: Submission, held: Known) -> set[ErrorCode]:
    with pytest.raises(RefusedError) as caught:
        planned(what, held)
    return {error.code for error in caught.value.errors}


ORIGINAL = KnownObject(OLD, "document", HERE)
FOLDER = KnownObject(HOLDER, "folder", HERE)


def test_a_replacement_is_put_into_folders_by_memberships_of_the_set() -> None:
    plan = planned(replacing(OLD, document()), known(ORIGINAL, folders_of={OLD: (HOLDER,)}))
    new, set_id = plan.submission.documents[0].entry_uuid, plan.submission.submission_set.entry_uuid
    inside, kept = plan.inherited
    assert (inside.source, inside.target) == (HOLDER, new)
    assert (kept.source, kept.target, kept.member_kind) == (set_id, inside.entry_uuid, MemberKind.ORIGINAL)
    assert plan.deprecated == (OLD,)
    assert plan.updated_folders == (HOLDER,)


def test_a_folder_that_the_submission_names_itself_is_joined_once() -> None:
    by = document()
    what = replacing(OLD, by)
    both = replace(what, associations=(*what.associations, member(HOLDER, by.entry_uuid)))
    plan = planned(both, known(ORIGINAL, FOLDER, folders_of={OLD: (HOLDER,)}))
    assert plan.inherited == ()
    assert plan.updated_folders == (HOLDER,)


def test_what_hangs_on_the_replaced_goes_with_it() -> None:
    addendum = UUID(int=3 << 100).urn
    plan = planned(replacing(OLD, document()), known(ORIGINAL, dependants={OLD: (addendum,)}))
    assert plan.deprecated == (OLD, addendum)


def test_new_folders_are_stamped() -> None:
    plan = planned(submission(patient=WANG, folders=(folder(last_update_time="1999"),)), known())
    assert plan.submission.folders[0].last_update_time == dtm(NOW)
    assert plan.updated_folders == ()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"approved": False}, ErrorCode.REGISTRY_DEPRECATED_DOCUMENT),
        ({"person": UUID(int=9)}, ErrorCode.PATIENT_ID_DOES_NOT_MATCH),
        ({"kind": "folder"}, ErrorCode.REGISTRY_METADATA_ERROR),
    ],
)
def test_what_cannot_be_replaced(change: dict[str, Any], code: ErrorCode) -> None:
    assert refused(replacing(OLD, document()), known(replace(ORIGINAL, **change))) == {code}


def test_two_replacements_of_one_document_are_refused() -> None:
    one, two = replacing(OLD, document()), replacing(OLD, document())
    both = submission(*one.documents, *two.documents, more=(one.associations[-1], two.associations[-1]))
    assert refused(both, known(ORIGINAL)) == {ErrorCode.REGISTRY_METADATA_ERROR}


def test_memberships_that_do_not_fit() -> None:
    one = document()
    loose = submission(one, more=(member(OLD, one.entry_uuid),))
    assert refused(loose, known(ORIGINAL)) == {ErrorCode.REGISTRY_METADATA_ERROR}
    earlier = KnownObject(HOLDER, "submission_set", HERE)
    late = submission(one, more=(member(HOLDER, one.entry_uuid),))
    assert refused(late, known(earlier)) == {ErrorCode.REGISTRY_METADATA_ERROR}
    closed = submission(one, more=(member(HOLDER, one.entry_uuid),))
    assert refused(closed, known(replace(FOLDER, approved=False))) == {ErrorCode.REGISTRY_METADATA_ERROR}
    original = member("SubmissionSet", OLD, member_kind=MemberKind.ORIGINAL)
    assert refused(submission(one, more=(original,)), known(ORIGINAL)) == {ErrorCode.REGISTRY_METADATA_ERROR}


def test_a_document_of_the_set_alone_must_be_its_member() -> None:
    what = submission(document())
    (mistake,) = check(replace(what, associations=()), DOMAIN)
    assert "member of the submission set" in mistake.context
    marked = replace(what.associations[0], member_kind=MemberKind.REFERENCE)
    (mistake, *_) = check(replace(what, associations=(marked,)), DOMAIN)
    assert mistake.location.endswith("SubmissionSetStatus")


def test_symbolic_ids_have_case_and_uuids_have_none() -> None:
    upper, lower = document(entry_uuid="Doc"), document(entry_uuid="doc")
    assert check(submission(upper, lower), DOMAIN) == []
    number = "0fbfdced-6c01-4d09-a110-2201afedaa02"
    same = submission(
        document(entry_uuid=f"urn:uuid:{number}"), document(entry_uuid=f"urn:uuid:{number.upper()}")
    )
    assert {mistake.location.rpartition(".")[2] for mistake in check(same, DOMAIN)} == {"id"}


def test_a_patient_is_kept_by_the_number_that_the_source_names() -> None:
    first = own_person("MAIN", "M1")
    numbers = [Linked(1, "MAIN", "M1"), Linked(2, "HP", "HP1"), Linked(3, "HY", "Y1")]
    assert standing_for(first, numbers, "HP", ("HY", "Y1")).id == 3
    assert standing_for(first, numbers, "HP", ("HY", "unknown")).id == 2
    assert standing_for(first, numbers, "NS", None).id == 1
    assert (
        standing_for(first, [replace(numbers[1], active=False), Linked(4, "HP", "HP2")], "HP", None).id == 4
    )


@pytest.mark.parametrize(
    "text", ["2026", "202602", "20260228", "2026022823", "202602282359", "20260228235959"]
)
def test_times(text: str) -> None:
    at = instant(text)
    assert at is not None
    assert dtm(at).startswith(text)


@pytest.mark.parametrize(
    "text", ["", "26", "20261", "20260230", "2026022824", "2026-02-28", "20260228T10", "２０２６"]
)
def test_what_is_no_time(text: str) -> None:
    assert instant(text) is None


def test_oids_and_patient_ids() -> None:
    assert all(map(is_oid, ("1.2.3", "2.25.340282366920938463463374607431768211455", "0.0")))
    assert not any(map(is_oid, ("", "1", "3.1", "1.02", "1..2", "1.2.", "1.2\n", "1." + "1" * 64)))
    assert patient_id(str(WANG)) == WANG
    assert patient_id("A 1^^^&1.2&ISO^PI") == PatientId("A 1", "1.2")
    for wrong in ("A^^^NS&1.2&ISO", "^^^&1.2&ISO", "A^^^&1.2&DNS", "A", "A^^^&x&ISO"):
        assert patient_id(wrong) is None


def test_a_signature_may_sign_what_comes_with_it_and_a_replacement_may_not_replace_it() -> None:
    signed, signature = document(), document()
    for how, taken in ((AssociationType.SIGNS, True), (AssociationType.REPLACES, False)):
        relation = member(signature.entry_uuid, signed.entry_uuid, type=how)
        what = submission(signed, signature, more=(relation,))
        if taken:
            assert planned(what, known()).deprecated == ()
        else:
            assert refused(what, known()) == {ErrorCode.REGISTRY_METADATA_ERROR}


def owned(what: Submission, held: Known, submitter: str | None) -> Plan:
    new_id = iter(UUID(int=number) for number in itertools.count(1)).__next__
    return decide(with_uuids(what, new_id), HERE, held, NOW, new_id, submitter)


@pytest.mark.parametrize(("owner", "submitter"), [("HP", "HP"), ("MAIN", None)])
def test_a_campus_replaces_its_own_and_the_consortium_any(owner: str, submitter: str | None) -> None:
    assert owned(replacing(OLD, document()), known(replace(ORIGINAL, owner=owner)), submitter).deprecated


def test_a_campus_replaces_no_document_of_another_and_fills_no_folder_of_it() -> None:
    by = document()
    both = replacing(OLD, by)
    both = replace(both, associations=(*both.associations, member(HOLDER, by.entry_uuid)))
    held = known(replace(ORIGINAL, owner="MAIN"), replace(FOLDER, owner="MAIN"))
    with pytest.raises(RefusedError) as caught:
        owned(both, held, "HP")
    assert [error.code for error in caught.value.errors] == [ErrorCode.REGISTRY_METADATA_ERROR] * 2


def test_a_unique_id_of_another_patient_is_not_taken_over() -> None:
    by = document()
    other = KnownObject(OLD, "document", UUID(int=9), by.unique_id)
    what = submission(by)
    assert refused(what, known(unique_ids={by.unique_id: (other,)})) == {
        ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY
    }
