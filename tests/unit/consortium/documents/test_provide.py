"""What a repository looks at before anything is registered (ITI TF-2 §3.41.4.1.3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consortium.documents.errors import RefusedError
from consortium.documents.model import ObjectType, PatientId
from consortium.documents.provide import completed
from tests.shared_documents import entry, submission

PATIENT = PatientId("5e1f", "1.2.156.10011.99.0")
ONE, TWO = entry(PATIENT), entry(PATIENT)
CONTENTS = {ONE.entry_uuid: "一".encode(), TWO.entry_uuid: b"2"}
SHA1 = "d274eee8a175062ac04a45821689db93da5ccfae"
"""Of 一 in UTF-8, by sha1sum."""
OURS = "1.2.156.10011.99.0.1"


def refused(*documents, contents=CONTENTS) -> list[tuple[str, str]]:
    with pytest.raises(RefusedError) as caught:
        completed(submission(*documents), contents, OURS)
    return [(error.code, error.location) for error in caught.value.errors]


def test_size_hash_and_repository_are_filled_in() -> None:
    first, second = completed(submission(ONE, TWO), CONTENTS, OURS).documents
    assert (first.size, first.hash) == (3, SHA1)
    assert (second.size, second.repository_unique_id) == (1, OURS)


def test_right_ones_are_taken_in_either_case() -> None:
    right = replace(ONE, size=3, hash=SHA1.upper())
    assert completed(submission(right, TWO), CONTENTS, OURS).documents[0].size == 3


def test_a_document_without_metadata_and_metadata_without_document() -> None:
    assert refused(ONE) == [("XDSMissingDocumentMetadata", TWO.entry_uuid)]
    assert refused(ONE, TWO, contents={ONE.entry_uuid: b""}) == [("XDSMissingDocument", TWO.entry_uuid)]


def test_every_wrong_size_and_hash_is_told_at_once() -> None:
    wrong = replace(ONE, size=4), replace(TWO, hash="00" * 20)
    assert refused(*wrong) == [
        ("XDSRepositoryMetadataError", f"{ONE.entry_uuid}.size"),
        ("XDSRepositoryMetadataError", f"{TWO.entry_uuid}.hash"),
    ]


def test_two_documents_of_one_unique_id() -> None:
    twin = replace(TWO, unique_id=ONE.unique_id)
    assert refused(ONE, twin) == [("XDSRepositoryDuplicateUniqueIdInMessage", ONE.unique_id)]


def test_an_on_demand_entry_has_no_document() -> None:
    made_later = replace(ONE, object_type=ObjectType.ON_DEMAND)
    assert refused(made_later, TWO) == [("XDSMissingDocumentMetadata", ONE.entry_uuid)]
    assert completed(submission(made_later), {}, OURS).documents == (made_later,)
