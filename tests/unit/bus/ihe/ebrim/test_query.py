"""AdhocQueryRequest and what is answered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from bus.ihe.ebrim import names, query
from bus.ihe.ebrim.names import RIM, RS
from bus.ihe.ebrim.responses import query_response, registry_response
from consortium.documents.asking import QueryId, Return, StoredQuery
from consortium.documents.errors import ErrorCode, RefusedError, RegistryError, Severity
from consortium.documents.model import Found
from tests.registered_documents import document

VALUES = st.text("王珅'(),^&<> aZ09%", min_size=1, max_size=10)
QUERIES = st.builds(
    StoredQuery,
    st.sampled_from(list(QueryId)),
    st.dictionaries(
        st.sampled_from(["$XDSDocumentEntryPatientId", "$uuid", "$XDSDocumentEntryEventCodeList"]),
        st.lists(st.lists(VALUES, min_size=1, max_size=3).map(tuple), min_size=1, max_size=2).map(tuple),
    ),
    st.sampled_from(Return),
)


@given(QUERIES)
def test_what_is_asked_is_read_back(asked: StoredQuery) -> None:
    assert query.read(etree.fromstring(etree.tostring(query.write(asked)))) == asked


def request(*values: str, returns: str = "LeafClass") -> etree._Element:
    made = query.write(StoredQuery(QueryId.GET_DOCUMENTS, {"$p": (("x",),)}, Return.LEAF_CLASS))
    listed = made.find(f".//{{{RIM}}}ValueList")
    option = made.find(f"{{{names.QUERY}}}ResponseOption")
    assert listed is not None
    assert option is not None
    option.set("returnType", returns)
    for each in list(listed):
        listed.remove(each)
    for value in values:
        etree.SubElement(listed, f"{{{RIM}}}Value").text = value
    return made


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (("'a'",), ("a",)),
        (("('a')",), ("a",)),
        (("('a', 'it''s (b)')",), ("a", "it's (b)")),
        (("('a'", "'b')"), None),
        (("('a','b')", "('c')"), ("a", "b", "c")),
        (("20261120",), ("20261120",)),
        (("  '' ",), ("",)),
        (("'a",), None),
        (("'a'; DROP",), None),
        (("()",), None),
    ],
)
def test_values_are_written_as_the_profile_says(
    values: tuple[str, ...], read: tuple[str, ...] | None
) -> None:
    if read is None:
        with pytest.raises(RefusedError, match="single quotes"):
            query.read(request(*values))
    else:
        assert query.read(request(*values)).parameters == {"$p": (read,)}


def test_another_return_type_is_refused() -> None:
    with pytest.raises(RefusedError, match="LeafClass or ObjectRef"):
        query.read(request("'a'", returns="RepositoryItem"))


def test_references_and_whole_objects() -> None:
    one = document(entry_uuid="urn:uuid:00000000-0000-0000-0000-000000000001")
    found = Found(documents=(one,))
    references = query_response(found, Return.OBJECT_REF)
    assert [each.get("id") for each in references.iter(f"{{{RIM}}}ObjectRef")] == [one.entry_uuid]
    whole = query_response(found, Return.LEAF_CLASS)
    assert [each.get("id") for each in whole.iter(f"{{{RIM}}}ExtrinsicObject")] == [one.entry_uuid]
    assert whole.get("status") == names.SUCCESS


def test_an_error_fails_and_a_warning_does_not() -> None:
    error = RegistryError(ErrorCode.UNKNOWN_PATIENT_ID, "who?", "Doc.patientId")
    warning = RegistryError(ErrorCode.EXTRA_METADATA_NOT_SAVED, "x", severity=Severity.WARNING)
    failed, warned = registry_response([warning, error]), registry_response([warning])
    assert (failed.get("status"), warned.get("status")) == (names.FAILURE, names.SUCCESS)
    listed = failed.find(f"{{{RS}}}RegistryErrorList")
    assert listed is not None
    assert listed.get("highestSeverity") == Severity.ERROR
    assert dict(listed[1].items()) == {
        "errorCode": "XDSUnknownPatientId",
        "codeContext": "who?",
        "location": "Doc.patientId",
        "severity": Severity.ERROR,
    }
