"""The parameters of stored queries: the checklist's line 31."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consortium.documents.asking import QueryId, StoredQuery
from consortium.documents.criteria import PARAMETERS, AnyOf, Between, Like, like, matches, understood
from consortium.documents.errors import ErrorCode, RefusedError
from consortium.documents.model import AssociationType, Availability

PATIENT = ("$XDSDocumentEntryPatientId", ("P^^^&1.2.156.10011.99.0&ISO",))
STATUS = ("$XDSDocumentEntryStatus", (Availability.APPROVED.value,))
ID = ("$XDSDocumentEntryEntryUUID", ("urn:uuid:00000000-0000-0000-0000-00000000000A",))


def asked(query: QueryId, *slots: tuple[str, tuple[str, ...]]) -> StoredQuery:
    parameters: dict[str, tuple[tuple[str, ...], ...]] = {}
    for name, values in slots:
        parameters[name] = (*parameters.get(name, ()), values)
    return StoredQuery(query, parameters)


def refused(query: QueryId, *slots: tuple[str, tuple[str, ...]]) -> ErrorCode:
    with pytest.raises(RefusedError) as caught:
        understood(asked(query, *slots))
    (error,) = caught.value.errors
    return error.code


def test_every_query_has_its_parameters() -> None:
    assert set(PARAMETERS) == set(QueryId)


def test_stable_documents_unless_others_are_asked_for() -> None:
    found = understood(asked(QueryId.FIND_DOCUMENTS, PATIENT, STATUS))
    assert set(found.documents) == {AnyOf("status", ("approved",)), AnyOf("object_type", ("stable",))}
    on_demand = ("$XDSDocumentEntryType", ("urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248",))
    found = understood(asked(QueryId.FIND_DOCUMENTS, PATIENT, STATUS, on_demand))
    assert AnyOf("object_type", ("on_demand",)) in found.documents


def test_slots_are_and_where_the_profile_says() -> None:
    event = "$XDSDocumentEntryEventCodeList"
    found = understood(
        asked(QueryId.FIND_DOCUMENTS, PATIENT, STATUS, (event, ("CT^^D", "MR^^D")), (event, ("US^^D",)))
    )
    assert [each.values for each in found.documents if each.column == "event_codes"] == [  # type: ignore[union-attr]
        ("CT^^D", "MR^^D"),
        ("US^^D",),
    ]
    code = "$XDSDocumentEntryClassCode"
    slots = (PATIENT, STATUS, (code, ("a^^b",)), (code, ("c^^d",)))
    assert refused(QueryId.FIND_DOCUMENTS, *slots) is ErrorCode.STORED_QUERY_PARAMETER_NUMBER


def test_line_31_what_is_missing_or_too_many_is_told() -> None:
    assert refused(QueryId.FIND_DOCUMENTS, STATUS) is ErrorCode.STORED_QUERY_MISSING_PARAMETER
    assert refused(QueryId.FIND_DOCUMENTS, PATIENT) is ErrorCode.STORED_QUERY_MISSING_PARAMETER
    two = (PATIENT[0], (*PATIENT[1], "Q^^^&1.2&ISO"))
    assert refused(QueryId.FIND_DOCUMENTS, two, STATUS) is ErrorCode.STORED_QUERY_PARAMETER_NUMBER
    times = ("$XDSDocumentEntryCreationTimeFrom", ("2026", "2027"))
    assert refused(QueryId.FIND_DOCUMENTS, PATIENT, STATUS, times) is ErrorCode.STORED_QUERY_PARAMETER_NUMBER
    both = (ID, ("$XDSDocumentEntryUniqueId", ("1.2.3",)))
    assert refused(QueryId.GET_DOCUMENTS, *both) is ErrorCode.STORED_QUERY_PARAMETER_NUMBER
    assert refused(QueryId.GET_RELATED_DOCUMENTS, ID) is ErrorCode.STORED_QUERY_MISSING_PARAMETER


@pytest.mark.parametrize(
    "slot",
    [
        ("$XDSDocumentEntryClassCode", ("lab",)),
        ("$XDSDocumentEntryCreationTimeFrom", ("yesterday",)),
        ("$XDSDocumentEntryStatus", ("Approved",)),
        ("$XDSDocumentEntryType", ("stable",)),
        ("$XDSDocumentEntryPatientId", ("P",)),
    ],
)
def test_a_value_of_another_form_is_told(slot: tuple[str, tuple[str, ...]]) -> None:
    others = [each for each in (PATIENT, STATUS) if each[0] != slot[0]]
    assert refused(QueryId.FIND_DOCUMENTS, *others, slot) is ErrorCode.REGISTRY_ERROR


def test_ids_are_read_without_case_and_types_by_name() -> None:
    types = ("$AssociationTypes", (AssociationType.REPLACES.value, AssociationType.APPENDS.value))
    found = understood(asked(QueryId.GET_RELATED_DOCUMENTS, ID, types))
    assert found.ids == (ID[1][0].lower(),)
    assert found.association_types == (AssociationType.REPLACES, AssociationType.APPENDS)


def test_a_parameter_that_no_query_knows_is_not_looked_at() -> None:
    assert understood(asked(QueryId.GET_DOCUMENTS, ID, ("$MetadataLevel", ("1",)))).ids


def test_matching() -> None:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    searched = {"codes": ["a^^b"], "people": ["D1^张^珅", "x"], "time": at, "none": None}
    assert matches(searched, (AnyOf("codes", ("z", "a^^b")), Like("people", ("D_^%",)), Between("time", at)))
    assert not matches(searched, (Between("time", None, at),))
    assert not matches(searched, (Between("none", None, at),))
    assert not matches(searched, (Like("people", ("D1",)),))


@given(st.text("ab%_", max_size=8), st.text("ab\n", max_size=8))
def test_like_is_that_of_sql(pattern: str, text: str) -> None:
    parts = {"%": ".*", "_": "."}
    expression = "".join(parts.get(one) or re.escape(one) for one in pattern)
    assert like(text, pattern) is bool(re.fullmatch(expression, text, re.DOTALL))


def test_no_pattern_takes_for_ever() -> None:
    assert not like("x" * 2000 + "y", "%x" * 200 + "%z")
    assert like("欧阳" * 500, "%" * 500)
