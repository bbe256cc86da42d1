"""ITI-42 and ITI-18 at /xds/registry by raw SOAP: envelope, answers, access and audit."""

from __future__ import annotations

import re
from base64 import b64encode
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from lxml import etree

from bus.ihe.ebrim import query as queries
from bus.ihe.ebrim import submission as submissions
from consortium.access import audit
from consortium.access.accounts import bind_patient
from consortium.documents.asking import QueryId, Return, StoredQuery
from consortium.documents.model import DocumentEntry, PatientId, Submission
from tests.integration.api.conftest import PASSWORD, As
from tests.registered_documents import APPROVED, Shelf, document, patient_of
from tests.shared_documents import submission

ENVELOPE = """<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"
 xmlns:a="http://www.w3.org/2005/08/addressing"><s:Header>
 <a:Action s:mustUnderstand="1">urn:ihe:iti:2007:{action}</a:Action>
 <a:MessageID>urn:uuid:0fbfdced-6c01-4d09-a110-2201afedaa02</a:MessageID>
 <a:ReplyTo><a:Address>http://www.w3.org/2005/08/addressing/anonymous</a:Address></a:ReplyTo>
 <a:To>http://yilian.test/xds/registry</a:To></s:Header><s:Body>{body}</s:Body></s:Envelope>"""
SYSTEM = {"Authorization": "Basic " + b64encode(f"system.huangpu:{PASSWORD}".encode()).decode()}
RAW_QUERY = """<q:AdhocQueryRequest xmlns:q="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
 xmlns:r="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">
 <q:ResponseOption returnComposedObjects="true" returnType="ObjectRef"/>
 <r:AdhocQuery id="urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d">
 <r:Slot name="$XDSDocumentEntryPatientId"><r:ValueList><r:Value>'{patient}'</r:Value></r:ValueList></r:Slot>
 <r:Slot name="$XDSDocumentEntryStatus"><r:ValueList>
 <r:Value>('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')</r:Value></r:ValueList></r:Slot>
 </r:AdhocQuery></q:AdhocQueryRequest>"""

ANYBODY = RAW_QUERY.format(patient="a^^^&amp;1.2&amp;ISO")


@pytest.fixture
def somebody(engine: sa.Engine) -> PatientId:
    """欧阳珅, known at Huangpu; patient.demo."""
    with engine.begin() as connection:
        patient = patient_of(connection, "HP", "HP000123")
        bind_patient(connection, "patient.demo", UUID(patient.number))
        return patient


class Registry:
    """The registry's address, called as a campus's program calls it."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def post(self, action: str, body: str, headers: dict[str, str] | None = None) -> httpx.Response:
        content = ENVELOPE.format(action=action, body=body).encode()
        said = {"Content-Type": "application/soap+xml; charset=UTF-8"}
        said |= SYSTEM if headers is None else headers
        return await self.client.post("/xds/registry", content=content, headers=said)

    async def register(self, what: Submission) -> httpx.Response:
        return await self.post("RegisterDocumentSet-b", xml(submissions.write(what)))

    async def ask(self, asked: StoredQuery, headers: dict[str, str] | None = None) -> httpx.Response:
        return await self.post("RegistryStoredQuery", xml(queries.write(asked)), headers)


@pytest.fixture
def registry(client: httpx.AsyncClient) -> Registry:
    return Registry(client)


def xml(element: etree._Element) -> str:
    return etree.tostring(element, encoding="unicode")


def attribute(answer: httpx.Response, name: str) -> list[str]:
    """Return the values of an attribute of an answer."""
    assert answer.status_code == 200, answer.text
    return re.findall(rf' {name}="([^"]*)"', answer.text)


def status(answer: httpx.Response) -> str:
    return next(each for each in attribute(answer, "status") if "ResponseStatusType" in each).rpartition(":")[
        2
    ]


def of(patient: PatientId, returns: Return = Return.LEAF_CLASS) -> StoredQuery:
    parameters = {
        "$XDSDocumentEntryPatientId": ((str(patient),),),
        "$XDSDocumentEntryStatus": ((APPROVED,),),
    }
    return StoredQuery(QueryId.FIND_DOCUMENTS, parameters, returns)


async def registered(registry: Registry, patient: PatientId) -> DocumentEntry:
    one = document(patient)
    answer = await registry.register(submission(one))
    assert status(answer) == "Success"
    return one


async def test_what_is_registered_is_found(registry: Registry, somebody: PatientId) -> None:
    one = await registered(registry, somebody)
    answer = await registry.ask(of(somebody))
    assert status(answer) == "Success"
    assert one.unique_id in attribute(answer, "value")
    assert "出院小结：欧阳珅" in attribute(answer, "value")
    assert "urn:ihe:iti:2007:RegistryStoredQueryResponse" in answer.text
    assert "urn:uuid:0fbfdced-6c01-4d09-a110-2201afedaa02</wsa:RelatesTo>" in answer.text


async def test_a_query_written_by_hand(registry: Registry, somebody: PatientId) -> None:
    await registered(registry, somebody)
    raw = RAW_QUERY.format(patient=str(somebody).replace("&", "&amp;"))
    answer = await registry.post("RegistryStoredQuery", raw)
    assert status(answer) == "Success"
    assert answer.text.count("ObjectRef ") == 1
    assert "ExtrinsicObject" not in answer.text


async def test_line_28_errors_come_with_code_context_and_place(
    registry: Registry, somebody: PatientId
) -> None:
    bad = submission(document(somebody, entry_uuid="Doc", hash="none", creation_time="now"))
    answer = await registry.register(bad)
    assert status(answer) == "Failure"
    assert attribute(answer, "errorCode") == ["XDSRegistryMetadataError"] * 2
    assert set(attribute(answer, "location")) == {"Doc.hash", "Doc.creationTime"}
    assert all(attribute(answer, "codeContext"))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (RAW_QUERY.replace("14d4debf", "04d4debf"), "XDSUnknownStoredQuery"),
        (ANYBODY.replace("$XDSDocumentEntryStatus", "$Other"), "XDSStoredQueryMissingParam"),
        (RAW_QUERY.replace("'{patient}'", "('a^^^&amp;1.2&amp;ISO','b')"), "XDSStoredQueryParamNumber"),
        (RAW_QUERY.replace("'{patient}'", "'unquoted"), "XDSRegistryError"),
        ("<nothing/>", "XDSRegistryError"),
    ],
)
async def test_line_31_a_wrong_query_is_answered_by_its_error(
    registry: Registry, body: str, code: str
) -> None:
    answer = await registry.post("RegistryStoredQuery", body)
    assert status(answer) == "Failure"
    assert attribute(answer, "errorCode") == [code]
    assert "RegistryObjectList" in answer.text


async def test_line_28_a_registry_that_cannot_go_on_is_busy(
    registry: Registry, somebody: PatientId, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consortium.documents.service.PATIENCE", "100ms")
    one = submission(document(somebody))
    with engine.connect() as other:
        Shelf(other).register(one)
        answer = await registry.register(one)
    assert attribute(answer, "errorCode") == ["XDSRegistryBusy"]
    assert status(await registry.register(one)) == "Success"


async def test_line_41_success_failure_and_refusal_are_in_the_audit(
    registry: Registry, somebody: PatientId, engine: sa.Engine, as_: As
) -> None:
    await registered(registry, somebody)
    await registry.register(submission(document(somebody, hash="none")))
    await registry.ask(of(somebody), headers=as_("doctor.main"))
    await registry.ask(of(somebody), headers=as_("manager.group"))
    with engine.connect() as connection:
        written = [each.entry for each in audit.entries(connection, limit=10)]
    kept = [each for each in written if each.action.startswith("document.")]
    said = [(each.username, each.action, each.outcome) for each in reversed(kept)]
    assert said == [
        ("system.huangpu", "document.submit", "allowed"),
        ("system.huangpu", "document.submit", "refused"),
        ("doctor.main", "document.read", "allowed"),
        ("manager.group", "document.read", "refused"),
    ]
    assert kept[-1].persons == kept[1].persons == [UUID(somebody.number)]
    assert kept[2].reason == "XDSRegistryMetadataError"
    assert all("欧阳" not in each.reason for each in kept)


async def test_who_may_and_who_may_not(
    registry: Registry, somebody: PatientId, as_: As, engine: sa.Engine
) -> None:
    await registered(registry, somebody)
    with engine.begin() as connection:
        other = patient_of(connection, "HP", "HP000124", name="李四")
    await registered(registry, other)
    assert (await registry.ask(of(somebody), headers={})).status_code == 401
    assert (await registry.ask(of(somebody), headers=as_("engineer"))).status_code == 403
    assert status(await registry.ask(of(somebody), headers=as_("doctor.huiya"))) == "Success"
    own = as_("patient.demo") | {"X-Purpose-Of-Use": "own"}
    assert status(await registry.ask(of(somebody), headers=own)) == "Success"
    assert (await registry.ask(of(other), headers=own)).status_code == 403


@pytest.mark.parametrize(
    "action",
    [
        "urn:ihe:iti:2010:UpdateDocumentSet",
        "urn:ihe:iti:2010:DeleteDocumentSet",
        "urn:ihe:iti:2017:RemoveDocuments",
    ],
)
@pytest.mark.parametrize("address", ["registry", "repository"])
async def test_line_38_updates_and_removals_are_refused_and_change_nothing(
    registry: Registry, somebody: PatientId, engine: sa.Engine, address: str, action: str
) -> None:
    one = await registered(registry, somebody)
    content = ENVELOPE.format(action="", body=ANYBODY).replace("urn:ihe:iti:2007:", action)
    headers = SYSTEM | {"Content-Type": "application/soap+xml; charset=UTF-8"}
    answer = await registry.client.post(f"/xds/{address}", content=content.encode(), headers=headers)
    assert answer.status_code in (400, 500)
    assert "ActionNotSupported" in answer.text
    found = await registry.ask(of(somebody))
    assert one.unique_id in attribute(found, "value")
    with engine.connect() as connection:
        refused = audit.entries(connection, limit=1, outcome="refused")
    assert [each.entry.username for each in refused] == ["system.huangpu"]
