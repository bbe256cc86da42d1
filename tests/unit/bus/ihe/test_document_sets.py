"""ITI-41 and ITI-43 on the wire: what is written is read again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from bus.ihe import document_sets
from bus.ihe.document_sets import XDS, Reference, Retrieved
from bus.ihe.ebrim import names
from consortium.documents.errors import ErrorCode, RefusedError, RegistryError
from consortium.documents.model import PatientId
from tests.shared_documents import entry, submission

TEXT = st.text("0123456789.^&<珅𠮷", min_size=1, max_size=20)


class Beside:
    """Contents beside the message, as attachments are."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def put(self, element: etree._Element, content: bytes, _mime_type: str) -> None:
        element.text = str(len(self._contents))
        self._contents[element.text] = content

    def get(self, element: etree._Element) -> bytes:
        return self._contents[element.text or ""]


def over_the_wire(element: etree._Element) -> etree._Element:
    return etree.fromstring(etree.tostring(element))


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=3))
def test_documents_that_are_provided(contents: list[bytes]) -> None:
    patient, beside = PatientId("5e1f", "1.2.156.10011.99.0"), Beside()
    documents = [entry(patient) for _ in contents]
    said = submission(*documents)
    pairs = [(one.entry_uuid, content, "text/xml") for one, content in zip(documents, contents, strict=True)]
    request = over_the_wire(document_sets.written_provided(said, pairs, beside.put))
    read, provided = document_sets.read_provided(request, beside.get)
    assert [one.unique_id for one in read.documents] == [one.unique_id for one in documents]
    assert read.documents[0].title == "出院小结：欧阳珅"
    assert list(provided.values()) == contents
    assert list(provided) == [one.entry_uuid for one in documents]


@given(st.lists(st.builds(Reference, TEXT, TEXT, st.none() | TEXT), min_size=1, unique=True))
def test_documents_that_are_wanted(wanted: list[Reference]) -> None:
    stripped = [Reference(one.repository, one.unique_id, one.home) for one in wanted]
    assert document_sets.read_wanted(over_the_wire(document_sets.written_wanted(wanted))) == stripped


@pytest.mark.parametrize(
    ("found", "failed", "status"),
    [(1, 0, names.SUCCESS), (1, 1, names.PARTIAL_SUCCESS), (0, 1, names.FAILURE)],
)
def test_documents_that_are_retrieved(found: int, failed: int, status: str) -> None:
    beside = Beside()
    documents = [Retrieved(Reference("1.2", "3.4"), "text/xml", "珅".encode())][:found]
    errors = [RegistryError(ErrorCode.DOCUMENT_UNIQUE_ID_ERROR, "no such document", "5.6")][:failed]
    response = over_the_wire(document_sets.written_retrieved(documents, errors, beside.put))
    [said] = response.iter(f"{{{names.RS}}}RegistryResponse")
    assert said.get("status") == status
    expected = [("XDSDocumentUniqueIdError", "no such document")][:failed]
    assert document_sets.read_retrieved(response, beside.get) == (documents, expected)


SUBMITTED = f'<l:SubmitObjectsRequest xmlns:l="{names.LCM}"/>'


@pytest.mark.parametrize(
    "content",
    ["", SUBMITTED + '<x:Document id="a"/><x:Document id="a"/>', SUBMITTED + "<x:Document/>"],
)
def test_what_is_no_submission_of_documents_is_refused(content: str) -> None:
    name = "x:ProvideAndRegisterDocumentSetRequest"
    request = etree.fromstring(f'<{name} xmlns:x="{XDS}">{content}</{name}>')
    with pytest.raises(RefusedError, match="XDSRepositoryError"):
        document_sets.read_provided(request, lambda _: b"")


@pytest.mark.parametrize(
    "request_",
    [
        "<other/>",
        f'<x:RetrieveDocumentSetRequest xmlns:x="{XDS}"/>',
        f'<x:RetrieveDocumentSetRequest xmlns:x="{XDS}"><x:DocumentRequest>'
        "<x:DocumentUniqueId>1</x:DocumentUniqueId></x:DocumentRequest></x:RetrieveDocumentSetRequest>",
    ],
)
def test_what_names_no_document_is_refused(request_: str) -> None:
    with pytest.raises(RefusedError, match="XDSRepositoryError"):
        document_sets.read_wanted(etree.fromstring(request_))
