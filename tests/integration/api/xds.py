"""A client of /xds as a campus's system: SOAP by hand, so that it can be wrong as well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import httpx
import sqlalchemy as sa
from lxml import etree

from adapters.ihe import envelope
from adapters.ihe.envelope import Message
from adapters.ihe.mtom import Parts, unpack
from bus.ihe.document_sets import Reference, Retrieved, read_retrieved, written_provided, written_wanted
from bus.ihe.ebrim import names
from consortium.documents.model import DocumentEntry, PatientId, Submission
from consortium.records.model import Change, Kind, Patient
from tests.integration.api.conftest import PASSWORD
from tests.integration.api.records import write
from tests.shared_documents import CONSORTIUM, submission

ITI = "urn:ihe:iti:2007:"
OURS = "1.2.156.10011.99.0.1"
SYSTEM = ("system.huangpu", PASSWORD)


@dataclass(frozen=True)
class Answered:
    """A RegistryResponse, or what holds one."""

    status: str
    errors: list[str]
    contexts: list[str]


def patient(engine: sa.Engine, number: str = "HP000123") -> PatientId:
    """Register a patient at Huangpu; return the consortium id."""
    person = write(engine, "HP", 1, Change(kind=Kind.PATIENT, patient=Patient(number=number, name="欧阳珅")))
    return PatientId(str(person), CONSORTIUM)


def person_of(id_: PatientId) -> UUID:
    return UUID(id_.number)


async def asked(
    client: httpx.AsyncClient,
    address: str,
    transaction: str,
    payload: etree._Element,
    parts: Parts,
    auth: tuple[str, str] | None = SYSTEM,
) -> httpx.Response:
    """Send one request; without `auth`, as the client is signed in."""
    url = f"http://yilian.test/xds/{address}"
    body, content_type = parts.pack(envelope.written(payload, ITI + transaction, to=url), ITI + transaction)
    headers = {"Content-Type": content_type}
    return await client.post(url, content=body, headers=headers, auth=auth or httpx.USE_CLIENT_DEFAULT)


def message(response: httpx.Response) -> Message:
    """Read an answer that is no fault."""
    assert response.status_code == 200, response.text
    packed = unpack(response.content, response.headers["content-type"])
    return envelope.read(envelope.opened(packed, 10**8), packed)


def answered(response: httpx.Response) -> Answered:
    """Read the RegistryResponse of an answer."""
    payload = message(response).payload
    (said,) = payload.iter(f"{{{names.RS}}}RegistryResponse")
    errors = list(said.iter(f"{{{names.RS}}}RegistryError"))
    return Answered(
        said.get("status", "").rpartition(":")[2],
        [error.get("errorCode", "") for error in errors],
        [error.get("codeContext", "") for error in errors],
    )


async def provided(
    client: httpx.AsyncClient,
    contents: Sequence[tuple[DocumentEntry, bytes]],
    said: Submission | None = None,
    *,
    mtom: bool = True,
    auth: tuple[str, str] | None = SYSTEM,
) -> Answered:
    """ITI-41."""
    parts = Parts(mtom)
    what = said or submission(*(entry for entry, _ in contents))
    payload = written_provided(
        what, [(entry.entry_uuid, content, entry.mime_type) for entry, content in contents], parts.put
    )
    return answered(
        await asked(client, "repository", "ProvideAndRegisterDocumentSet-b", payload, parts, auth)
    )


async def retrieved(
    client: httpx.AsyncClient,
    wanted: Iterable[Reference],
    *,
    mtom: bool = True,
    auth: tuple[str, str] | None = SYSTEM,
) -> tuple[Answered, list[Retrieved]]:
    """ITI-43."""
    payload = written_wanted(wanted)
    response = await asked(client, "repository", "RetrieveDocumentSet", payload, Parts(mtom), auth)
    said = message(response)
    assert said.mtom is mtom
    return answered(response), read_retrieved(said.payload, said.content_of)[0]
