"""IPF's document consumer asks every stored query, and checks each answer by its own rules."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from consortium.documents.model import AssociationType, PatientId, Submission
from tests.integration.api.conftest import PASSWORD
from tests.interop.peers import Peers, build
from tests.registered_documents import Shelf, document, folder, member, patient_of, record, replacing
from tests.shared_documents import submission

pytestmark = pytest.mark.timeout(600)  # the first one builds

REFERENCE = "V20261120^^^&1.2.156.10011.99.2.1&ISO^urn:ihe:iti:xds:2013:accession"


@dataclass(frozen=True)
class Shelved:
    """What there is to be found."""

    patient: PatientId
    made: Submission


@pytest.fixture
def shelved(engine: sa.Engine) -> Shelved:
    """A document in a folder, with an addendum; and one that the bus recorded."""
    with engine.begin() as connection:
        shelf, patient = Shelf(connection), patient_of(connection, "HP", "HP000123")
        held, holder = document(patient, reference_ids=(REFERENCE,)), folder(patient)
        inside = (member(holder.entry_uuid, held.entry_uuid),)
        made = shelf.register(submission(held, folders=(holder,), more=inside))
        first = made.documents[0].entry_uuid
        shelf.register(replacing(first, document(patient), AssociationType.APPENDS))
        record(connection, "DOC1")
    return Shelved(patient, made)


async def test_line_30_ipf_asks_every_stored_query(shelved: Shelved, origin: str) -> None:
    made = shelved.made
    said = await Peers(build("xds"), "yilian.peers.xds").run(
        "IpfQueries",
        origin,
        "system.huangpu",
        PASSWORD,
        shelved.patient.number,
        made.documents[0].entry_uuid,
        made.folders[0].entry_uuid,
        made.submission_set.unique_id,
        REFERENCE,
    )
    found = {line[0]: tuple(map(int, line[3:])) for line in said}
    assert {tuple(line[1:3]) for line in said} == {("SUCCESS", "")}
    # documents, sets, folders, associations, and the same as references
    assert found == {
        "FindDocuments": (3, 0, 0, 0, 3),
        "FindDocumentsByReferenceId": (1, 0, 0, 0, 1),
        "FindSubmissionSets": (0, 2, 0, 0, 2),
        "FindFolders": (0, 0, 1, 0, 1),
        "GetAll": (3, 2, 1, 5, 11),
        "GetDocuments": (1, 0, 0, 0, 1),
        "GetFolders": (0, 0, 1, 0, 1),
        "GetAssociations": (0, 0, 0, 3, 3),
        "GetDocumentsAndAssociations": (1, 0, 0, 3, 4),
        "GetSubmissionSets": (0, 1, 0, 1, 2),
        "GetSubmissionSetAndContents": (1, 1, 1, 3, 6),
        "GetFolderAndContents": (1, 0, 1, 1, 3),
        "GetFoldersForDocument": (0, 0, 1, 0, 1),
        "GetRelatedDocuments": (2, 0, 0, 1, 3),
        "FindDocumentsForMultiplePatients": (3, 0, 0, 0, 3),
        "FindFoldersForMultiplePatients": (0, 0, 1, 0, 1),
    }
