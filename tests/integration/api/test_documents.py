"""The page of a clinical document: who may read it, and of what there is one."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from consortium.records import service
from consortium.records.model import Change, Coded, Document, Kind, Patient, Provenance
from simulators.cda.samples import document
from tests.integration.api.conftest import As
from tests.integration.api.records import DAY

SAMPLE = document(20261120, DAY.date(), "discharge")


def kept(engine: sa.Engine, content: bytes, mime_type: str) -> str:
    """Record a document; returns its id."""
    said = Document(
        number="D1", type=Coded(code="C0053"), title="出院小结", mime_type=mime_type, content=content
    )
    change = Change(kind=Kind.DOCUMENT, patient=Patient(number="HP1"), documents=(said,))
    with engine.begin() as connection:
        service.apply(connection, change, Provenance(message_id=1, facility="HP", received_at=DAY))
        return str(connection.execute(sa.text("SELECT id FROM records.document")).scalar_one())


async def test_a_doctor_reads_the_page_and_the_read_is_audited(
    client: httpx.AsyncClient, engine: sa.Engine, as_: As
) -> None:
    id_ = kept(engine, SAMPLE.body, "text/xml")
    page = await client.get(f"/api/v1/documents/{id_}/html", headers=as_("doctor.main"))
    assert page.status_code == 200
    assert "<h1>出院小结</h1>" in page.text
    assert "sandbox" in page.headers["content-security-policy"]
    with engine.connect() as connection:
        told = connection.execute(
            sa.text("SELECT username, outcome FROM access.audit WHERE resource LIKE '%/html'")
        ).all()
    assert [tuple(row) for row in told] == [("doctor.main", "allowed")]


@pytest.mark.parametrize("user", ["engineer", "manager.group", "patient.demo"])
async def test_nobody_else_does(client: httpx.AsyncClient, engine: sa.Engine, as_: As, user: str) -> None:
    id_ = kept(engine, SAMPLE.body, "text/xml")
    page = await client.get(f"/api/v1/documents/{id_}/html", headers=as_(user))
    assert page.status_code == 403
    assert "出院小结" not in page.text


async def test_what_is_no_clinical_document_has_no_page(
    client: httpx.AsyncClient, engine: sa.Engine, as_: As
) -> None:
    id_ = kept(engine, b"plain text", "text/plain")
    for address, status in ((id_, 415), (uuid4(), 404), ("no-id", 422)):
        page = await client.get(f"/api/v1/documents/{address}/html", headers=as_("doctor.main"))
        assert page.status_code == status
