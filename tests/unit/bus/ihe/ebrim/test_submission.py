"""SubmitObjectsRequest: read as it was written, and every mistake told with its place."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from bus.ihe.ebrim import submission
from bus.ihe.ebrim.names import RIM
from bus.sources.xml_parser import parse_xml
from consortium.documents.errors import ErrorCode, RefusedError
from consortium.documents.model import Author, Code, Slot, Submission
from tests.registered_documents import document, folder, member
from tests.shared_documents import submission as made_of

TEXTS = st.text("王珅欧阳慜镕𠮷 aZ09'\"<>&^|~%_.-", min_size=1, max_size=12).map(str.strip).filter(bool)
CODES = st.builds(Code, TEXTS, TEXTS, st.none() | TEXTS)
AUTHORS = st.builds(Author, TEXTS, *[st.lists(TEXTS, max_size=2).map(tuple)] * 4)
SLOTS = st.lists(
    st.builds(Slot, TEXTS.map("urn:x:{}".format), st.lists(TEXTS, max_size=2).map(tuple), st.none() | TEXTS),
    max_size=2,
    unique_by=lambda slot: slot.name,
).map(tuple)
DOCUMENTS = st.builds(
    document,
    title=st.none() | TEXTS,
    comments=st.none() | TEXTS,
    class_code=CODES,
    event_codes=st.lists(CODES, max_size=2).map(tuple),
    authors=st.lists(AUTHORS, max_size=2).map(tuple),
    slots=SLOTS,
    size=st.integers(0, 10**12),
    limited_metadata=st.booleans(),
    source_patient_info=st.lists(TEXTS, max_size=2).map(tuple),
    reference_ids=st.lists(TEXTS, max_size=2).map(tuple),
    legal_authenticator=st.none() | TEXTS,
    home_community_id=st.none() | st.just("urn:oid:1.2.156.10011.99"),
    version=st.integers(1, 9),
)


def sent(what: Submission) -> etree._Element:
    """Return a submission as it is on the wire."""
    return parse_xml(etree.tostring(submission.write(what), encoding="UTF-8"))


@given(DOCUMENTS)
def test_what_is_written_is_read_back(one: object) -> None:
    held = folder()
    assert isinstance(one, type(document()))
    whole = made_of(one, folders=(held,), more=(member(held.entry_uuid, one.entry_uuid),))
    assert submission.read(sent(whole)) == whole


def broken(change: Callable[[etree._Element], None]) -> list[str]:
    """Return where the mistakes of a changed submission of one document and one folder are said to be."""
    request = sent(made_of(document(entry_uuid="Doc"), folders=(folder(entry_uuid="Fol"),)))
    change(request)
    with pytest.raises(RefusedError) as caught:
        submission.read(request)
    assert all(error.code is ErrorCode.REGISTRY_METADATA_ERROR for error in caught.value.errors)
    return [error.location for error in caught.value.errors]


def at(request: etree._Element, path: str) -> etree._Element:
    """Return the one element at a path of local names below the document."""
    found = request.find(path, {"rim": RIM})
    assert found is not None, path
    return found


def without(path: str) -> Callable[[etree._Element], None]:
    def change(request: etree._Element) -> None:
        gone = at(request, path)
        parent = gone.getparent()
        assert parent is not None
        parent.remove(gone)

    return change


def having(path: str, name: str, value: str) -> Callable[[etree._Element], None]:
    return lambda request: at(request, path).set(name, value)


DOC = ".//rim:ExtrinsicObject"
SET = ".//rim:RegistryPackage[@id='SubmissionSet']"
CLASS = f"{DOC}/rim:Classification[@classificationScheme='urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a']"
PATIENT = (
    f"{DOC}/rim:ExternalIdentifier[@identificationScheme='urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427']"
)
TIME = f"{SET}/rim:Slot[@name='submissionTime']"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (without(CLASS), "Doc.classCode"),
        (without(f"{CLASS}/rim:Slot"), "Doc.classCode"),
        (having(CLASS, "nodeRepresentation", ""), "Doc.classCode"),
        (without(PATIENT), "Doc.XDSDocumentEntry.patientId"),
        (having(PATIENT, "value", "HP000123"), "Doc.patientId"),
        (having(PATIENT, "value", "HP000123^^^&1.02.3&ISO"), "Doc.patientId"),
        (having(DOC, "objectType", "urn:uuid:0"), "Doc.objectType"),
        (having(DOC, "mimeType", ""), "Doc.mimeType"),
        (without(TIME), "SubmissionSet.submissionTime"),
        (without(f"{TIME}/rim:ValueList/rim:Value"), "SubmissionSet.submissionTime"),
        (having(f"{DOC}/rim:Slot[@name='hash']", "name", "size"), "Doc.size"),
        (having(DOC, "id", "Fol"), "Fol.id"),
        (having(".//rim:Association", "associationType", "RPLC"), None),
        (having(".//rim:Association", "targetObject", ""), None),
    ],
)
def test_line_28_a_mistake_is_told_with_its_place(
    change: Callable[[etree._Element], None], where: str | None
) -> None:
    places = broken(change)
    assert places
    assert where is None or where in places


def test_line_28_every_mistake_is_told_at_once() -> None:
    def change(request: etree._Element) -> None:
        without(CLASS)(request)
        without(TIME)(request)

    assert set(broken(change)) >= {"Doc.classCode", "SubmissionSet.submissionTime"}


def test_classifications_beside_the_objects_count_as_theirs() -> None:
    whole = made_of(document(), folders=(folder(),))
    request = sent(whole)
    listed = at(request, "rim:RegistryObjectList")
    for each in listed.findall("rim:RegistryPackage/rim:Classification", {"rim": RIM}):
        listed.append(each)
    assert submission.read(request) == whole


def test_a_submission_has_one_set() -> None:
    request = sent(made_of(document()))
    without(SET)(request)
    with pytest.raises(RefusedError, match="has one XDSSubmissionSet, this one has 0"):
        submission.read(request)


def test_associations_may_come_without_an_id() -> None:
    request = sent(made_of(document(), document()))
    for each in request.iterfind(".//rim:Association", {"rim": RIM}):
        del each.attrib["id"]
    assert len({each.entry_uuid for each in submission.read(request).associations}) == 2


def test_another_body_is_no_submission() -> None:
    with pytest.raises(RefusedError, match="SubmitObjectsRequest"):
        submission.read(etree.Element("whatever"))
