"""SubmitObjectsRequest (ITI-42, and within ITI-41): what a source asks to be registered."""

from __future__ import annotations

from lxml import etree

from bus.ihe.ebrim import names, reading
from bus.ihe.ebrim.names import LCM, NSMAP, RIM
from bus.ihe.ebrim.writing import registry_objects
from consortium.documents.model import Association, DocumentEntry, Folder, Found, Submission, SubmissionSet


def read(request: etree._Element) -> Submission:
    """Read a SubmitObjectsRequest.

    Raises:
        RefusedError: with every mistake of the form: a missing slot or classification, a bad number, an id
            twice.
    """
    problems = reading.Problems()
    listed = request.find(f"{{{RIM}}}RegistryObjectList")
    if etree.QName(request) != etree.QName(LCM, "SubmitObjectsRequest") or listed is None:
        problems.add("the body must be a lcm:SubmitObjectsRequest with a rim:RegistryObjectList")
        problems.refuse()
    found = sort(listed, problems) if listed is not None else Found()
    if len(found.submission_sets) != 1:
        problems.add(f"a submission has one XDSSubmissionSet, this one has {len(found.submission_sets)}")
    problems.refuse()
    return Submission(found.submission_sets[0], found.documents, found.folders, found.associations)


def sort(listed: etree._Element, problems: reading.Problems) -> Found:
    """Read the objects of a RegistryObjectList."""
    documents: list[DocumentEntry] = []
    sets: list[SubmissionSet] = []
    folders: list[Folder] = []
    associations: list[Association] = []
    for record in reading.records(listed, problems):
        kind = etree.QName(record.element).localname
        if kind == "ExtrinsicObject":
            documents.append(reading.document(record))
        elif kind == "Association":
            associations += filter(None, [reading.association(record)])
        elif names.SET_NODE in record.nodes():
            sets.append(reading.submission_set(record))
        elif names.FOLDER_NODE in record.nodes():
            folders.append(reading.folder(record))
        else:
            record.wrong("a RegistryPackage must be classified as a submission set or as a folder")
    return Found(tuple(documents), tuple(sets), tuple(folders), tuple(associations))


def write(submission: Submission) -> etree._Element:
    """Write a SubmitObjectsRequest."""
    request = etree.Element(etree.QName(LCM, "SubmitObjectsRequest"), nsmap=NSMAP)
    found = Found(
        submission.documents, (submission.submission_set,), submission.folders, submission.associations
    )
    request.append(registry_objects(found))
    return request
