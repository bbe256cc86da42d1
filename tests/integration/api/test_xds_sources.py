"""Documents that stay at their campus: registered here, fetched there, and no campus holds up the others."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request

from adapters.ihe.faults import Fault
from adapters.ihe.mtom import Parts
from adapters.ihe.server import Call, Endpoint, Limits, Operation, Seen, threaded
from adapters.ihe.sources import RETRIEVE
from api.app import create_app
from bus.ihe.document_sets import Reference, Retrieved, read_wanted, written_retrieved
from bus.ihe.ebrim import submission as wire
from consortium.documents.model import DocumentEntry, PatientId
from consortium.documents.provide import sha1
from runtime.documents import DocumentSource
from tests.integration.api.conftest import As, settings_for
from tests.integration.api.xds import OURS, answered, asked, patient, provided, retrieved
from tests.serving import served
from tests.shared_documents import entry, submission

HUIYA, SLOW, DEAD = (f"1.2.156.10011.99.{campus}.1" for campus in (3, 4, 5))
TEXT = "<ClinicalDocument>留在惠亚的文档：珅</ClinicalDocument>".encode()


class Campus:
    """A campus's own repository; it wants a sign-in and answers every document with `content`."""

    def __init__(self) -> None:
        self.content = TEXT
        self.asked: list[str] = []

    def app(self) -> Starlette:
        operation = Operation(f"{RETRIEVE}Response", threaded(self._retrieve))
        endpoint = Endpoint({RETRIEVE: operation}, self._sign_in, Limits(10**6), self._failed)
        return Starlette(routes=[endpoint.route("/repository")])

    async def _sign_in(self, request: Request) -> str:
        assert request.headers["authorization"] == httpx.BasicAuth("yilian", "密码")._auth_header
        return "yilian"

    async def _failed(self, _seen: Seen[str], _fault: Fault) -> None:
        raise AssertionError("the campus failed")

    def _retrieve(self, call: Call[str]) -> etree._Element:
        wanted = read_wanted(call.message.payload)
        self.asked += [one.unique_id for one in wanted]
        found = [
            Retrieved(Reference(one.repository, one.unique_id, "urn:oid:1.2"), "text/xml", self.content)
            for one in wanted
            if not one.unique_id.endswith(".404")
        ]
        return written_retrieved(found, (), call.parts.put)


@dataclass
class Consortium:
    app: FastAPI
    campus: Campus


@pytest.fixture
def consortium(seeded_url: str, tmp_path: Path) -> Iterator[Consortium]:
    """Ours, with a campus that answers, one that accepts and is silent, and one that is not there."""
    campus = Campus()
    with ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            nobody = probe.getsockname()[1]
        origin = stack.enter_context(served(campus.app()))
        places = {HUIYA: origin, SLOW: f"127.0.0.1:{silent.getsockname()[1]}", DEAD: f"127.0.0.1:{nobody}"}
        sources = tuple(
            DocumentSource(
                repository=repository,
                name={HUIYA: "惠亚院区", SLOW: "南沙院区", DEAD: "联盟医院"}[repository],
                url=f"http://{place}/repository",
                user="yilian",
                password="密码",
                timeout_seconds=0.5 if repository == SLOW else 20.0,
            )
            for repository, place in places.items()
        )
        changes = {"documents_store": str(tmp_path), "document_sources": sources}
        app = create_app(settings_for(seeded_url).model_copy(update=changes))
        yield Consortium(app, campus)
        app.state.platform.engine.dispose()


@pytest.fixture
def app(consortium: Consortium) -> FastAPI:
    return consortium.app


@pytest.fixture
def somebody(engine: sa.Engine) -> PatientId:
    return patient(engine)


async def registered(client: httpx.AsyncClient, *documents: DocumentEntry) -> None:
    """Register documents that stay where they are (ITI-42)."""
    payload = wire.write(submission(*documents))
    said = answered(await asked(client, "registry", "RegisterDocumentSet-b", payload, Parts(mtom=False)))
    assert said.status == "Success", said


def staying(who: PatientId, repository: str, content: bytes = TEXT, **more: str) -> DocumentEntry:
    facts = {"repository_unique_id": repository, "size": len(content), "hash": sha1(content)}
    return entry(who, **facts, **more)


async def test_two_of_four_sources_answer_and_the_silent_one_costs_its_timeout_once(
    client: httpx.AsyncClient, somebody: PatientId, consortium: Consortium
) -> None:
    ours = entry(somebody)
    await provided(client, [(ours, b"ours")])
    others = [staying(somebody, repository) for repository in (HUIYA, SLOW, DEAD)]
    await registered(client, *others)
    wanted = [Reference(OURS, ours.unique_id)]
    wanted += [Reference(one.repository_unique_id or "", one.unique_id) for one in others]
    began = time.monotonic()
    said, documents = await retrieved(client, wanted)
    assert time.monotonic() - began < 10
    assert said.status == "PartialSuccess"
    assert said.errors == ["XDSRepositoryBusy"] * 2
    assert "南沙院区 did not answer within 0.5 s; 2 of 4 sources answered" in said.contexts
    assert any(context.startswith("联盟医院 is out of reach") for context in said.contexts)
    assert [one.content for one in documents] == [b"ours", TEXT]
    said, _ = await retrieved(client, wanted[2:])
    assert said.status == "Failure"
    assert "南沙院区 did not answer a moment ago; 0 of 2 sources answered" in said.contexts


async def test_what_a_campus_gave_is_kept_and_given_when_it_is_asked_again(
    client: httpx.AsyncClient, somebody: PatientId, consortium: Consortium
) -> None:
    one = staying(somebody, HUIYA)
    await registered(client, one)
    for _ in range(2):
        said, [document] = await retrieved(client, [Reference(HUIYA, one.unique_id)])
        assert (said.status, document.content) == ("Success", TEXT)
        assert document.reference == Reference(HUIYA, one.unique_id)
    assert consortium.campus.asked == [one.unique_id]


async def test_mhd_gives_it_as_well(
    client: httpx.AsyncClient, somebody: PatientId, consortium: Consortium, as_: As
) -> None:
    near, far = staying(somebody, HUIYA), staying(somebody, SLOW, title="远处")
    await registered(client, near, far)
    client.headers.update(as_("doctor.main"))
    found = (await client.get(f"/fhir/mhd/DocumentReference?patient={somebody.number}")).json()
    attachments = [one["resource"]["content"][0]["attachment"] for one in found["entry"]]
    for attachment in attachments:
        raw = await client.get(attachment["url"])
        if attachment["title"] == "远处":
            assert raw.status_code == 503
            assert "南沙院区 did not answer" in raw.text
        else:
            assert raw.content == TEXT


async def test_another_content_than_the_registered_one_is_not_given(
    client: httpx.AsyncClient, somebody: PatientId, consortium: Consortium
) -> None:
    one, missing = staying(somebody, HUIYA), staying(somebody, HUIYA, unique_id="1.2.156.10011.99.3.404")
    await registered(client, one, missing)
    consortium.campus.content = b"something else"
    said, documents = await retrieved(
        client, [Reference(HUIYA, one.unique_id), Reference(HUIYA, missing.unique_id)]
    )
    assert (said.status, documents) == ("Failure", [])
    assert said.errors == ["XDSRepositoryError", "XDSDocumentUniqueIdError"]
    consortium.campus.content = TEXT
    said, [document] = await retrieved(client, [Reference(HUIYA, one.unique_id)])
    assert document.content == TEXT
