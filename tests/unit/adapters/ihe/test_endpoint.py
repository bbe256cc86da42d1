"""An endpoint as its clients meet it: SOAP 1.2, WS-Addressing, MTOM, faults."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request

from adapters.ihe.client import Client
from adapters.ihe.counts import Counts, Fate
from adapters.ihe.envelope import written
from adapters.ihe.faults import DETAIL, SOAP, WSA, Fault
from adapters.ihe.mtom import INCLUDE, MULTIPART, Parts, unpack
from adapters.ihe.server import Call, Endpoint, Limits, Operation, Seen, threaded
from consortium.access.errors import ForbiddenError, NotSignedInError
from consortium.errors import PermanentError, RetryableError

ASK, ANSWER = "urn:x:Ask", "urn:x:AskResponse"
URL = "http://yilian.test/xds/repository"
IN_SOAP = "application/soap+xml; charset=UTF-8"
FAULTS: list[tuple[str, str | None]] = []


def echoed(call: Call[str]) -> etree._Element:
    """Send back the document that came."""
    answer = etree.Element("{urn:x}answer")
    document = call.message.payload.find("{urn:x}document")
    if document is not None:
        call.parts.put(
            etree.SubElement(answer, "{urn:x}document"), call.message.content_of(document), "text/plain"
        )
    return answer


def raises(error: Exception) -> Callable[[Call[str]], etree._Element]:
    def handle(_call: Call[str]) -> etree._Element:
        raise error

    return handle


OPERATIONS = {
    ASK: Operation(ANSWER, threaded(echoed)),
    "urn:x:Forbidden": Operation(ANSWER, threaded(raises(ForbiddenError("not for you")))),
    "urn:x:Away": Operation(ANSWER, threaded(raises(RetryableError("10.0.0.1 is away")))),
    "urn:x:Broken": Operation(ANSWER, threaded(raises(KeyError("张三")))),
}


async def sign_in(request: Request) -> str:
    if "authorization" not in request.headers:
        raise NotSignedInError("nobody")
    return "system.huangpu"


async def failed(seen: Seen[str], fault: Fault) -> None:
    FAULTS.append((fault.code, seen.caller))


@pytest.fixture
async def client() -> Any:
    FAULTS.clear()
    endpoint = Endpoint(OPERATIONS, sign_in, Limits(body=100_000), failed)
    transport = httpx.ASGITransport(Starlette(routes=[endpoint.route("/xds/repository")]))
    async with httpx.AsyncClient(transport=transport, headers={"Authorization": "Basic eDp5"}) as client:
        yield client


def request(document: bytes | None = None, parts: Parts | None = None, action: str = ASK) -> bytes:
    payload = etree.Element("{urn:x}ask")
    if document is not None and parts is not None:
        parts.put(etree.SubElement(payload, "{urn:x}document"), document, "text/plain")
    return written(payload, action, to=URL)


async def asked(client: httpx.AsyncClient, body: bytes | str, content_type: str = IN_SOAP) -> httpx.Response:
    content = body.encode() if isinstance(body, str) else body
    return await client.post(URL, content=content, headers={"Content-Type": content_type})


def reason(answer: httpx.Response) -> etree._Element:
    packed = unpack(answer.content, answer.headers["content-type"])
    fault = etree.fromstring(packed.envelope).find(f".//{{{SOAP}}}Fault")
    assert fault is not None
    return fault


@pytest.mark.parametrize("mtom", [True, False])
async def test_a_document_comes_back_the_way_it_was_sent(client: httpx.AsyncClient, mtom: bool) -> None:
    document, parts = bytes(range(256)) * 30 + "\r\n--uuid-张".encode(), Parts(mtom)
    body, content_type = parts.pack(request(document, parts), ASK)
    answer = await asked(client, body, content_type)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(MULTIPART) is mtom
    packed = unpack(answer.content, answer.headers["content-type"])
    assert (len(packed.attachments), packed.action) == (int(mtom), ANSWER)
    root = etree.fromstring(packed.envelope)
    sent = etree.fromstring(unpack(body, content_type).envelope)
    assert root.findtext(f".//{{{WSA}}}RelatesTo") == sent.findtext(f".//{{{WSA}}}MessageID")
    assert root.findtext(f".//{{{WSA}}}Action") == ANSWER
    echo = root.find(".//{urn:x}document")
    assert echo is not None
    content = next(iter(packed.attachments.values())) if mtom else base64.b64decode(echo.text or "")
    assert content == document


async def test_our_client_reads_our_server(client: httpx.AsyncClient) -> None:
    ours = Client(client, answer_limit=100_000)
    answer = await ours.call(URL, ASK, etree.Element("{urn:x}ask"))
    assert (answer.payload.tag, answer.action, answer.mtom) == ("{urn:x}answer", ANSWER, True)
    with pytest.raises(PermanentError, match="HTTP 403"):
        await ours.call(URL, "urn:x:Forbidden", etree.Element("{urn:x}ask"))
    with pytest.raises(PermanentError, match="larger"):
        await Client(client, answer_limit=10).call(URL, ASK, etree.Element("{urn:x}ask"))


async def test_a_content_id_may_be_url_encoded_and_inline_base64_may_stand_in_a_multipart(
    client: httpx.AsyncClient,
) -> None:
    parts = Parts(mtom=True)
    body, content_type = parts.pack(request(b"x", parts), ASK)
    [include] = etree.fromstring(unpack(body, content_type).envelope).iter(INCLUDE)
    href = include.get("href", "").encode()
    odd = body.replace(href, b"cid:" + quote("<x>@y+z", safe="").encode())
    odd = odd.replace(b"Content-ID: <" + href[4:], b"Content-ID: <<x>@y+z")
    assert (await asked(client, odd, content_type)).status_code == 200
    body, content_type = Parts(mtom=True).pack(request(b"x", Parts(mtom=False)), ASK)
    assert (await asked(client, body, content_type)).status_code == 200


async def test_an_attachment_that_is_not_there_is_a_fault(client: httpx.AsyncClient) -> None:
    parts = Parts(mtom=True)
    body, content_type = parts.pack(request(b"x", parts), ASK)
    answer = await asked(client, body.replace(b'href="cid:', b'href="cid:not-'), content_type)
    assert answer.status_code == 400
    assert FAULTS == [("xop", "system.huangpu")]


SOAP_11 = '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><a/></e:Body></e:Envelope>'


def with_header(header: str, message_id: str = "<a:MessageID>urn:1</a:MessageID>", action: str = ASK) -> str:
    return (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:a="{WSA}"><s:Header><a:Action>{action}</a:Action>'
        f"{message_id}{header}</s:Header><s:Body><b/></s:Body></s:Envelope>"
    )


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        ("<a", IN_SOAP, 400, "malformed_xml"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', IN_SOAP, 400, "xml_doctype"),
        (SOAP_11, IN_SOAP, 500, "soap_version"),
        (with_header(""), "text/xml", 415, "content_type"),
        (with_header(""), 'multipart/related; boundary="x"', 400, "multipart"),
        (with_header(""), f'{IN_SOAP}; action="urn:x:Other"', 400, "action_mismatch"),
        (with_header("", message_id=""), IN_SOAP, 400, "addressing"),
        (with_header(f"<a:Action>{ASK}</a:Action>"), IN_SOAP, 400, "addressing"),
        (with_header("", action="urn:x:Nothing"), IN_SOAP, 400, "action"),
        (with_header("<a:ReplyTo><a:Address>http://x/</a:Address></a:ReplyTo>"), IN_SOAP, 400, "addressing"),
        (with_header('<w:Security xmlns:w="urn:w" s:mustUnderstand="1"/>'), IN_SOAP, 500, "must_understand"),
        (with_header("x" * 100_000), IN_SOAP, 413, "too_large"),
        (with_header("", action="urn:x:Forbidden"), IN_SOAP, 403, "forbidden"),
        (with_header("", action="urn:x:Away"), IN_SOAP, 500, "unavailable"),
        (with_header("", action="urn:x:Broken"), IN_SOAP, 500, "internal"),
    ],
)
async def test_what_cannot_be_taken_is_a_fault_that_says_why(
    client: httpx.AsyncClient, body: str, content_type: str, status: int, code: str
) -> None:
    answer = await asked(client, body, content_type)
    assert (answer.status_code, FAULTS) == (status, [(code, "system.huangpu")])
    texts = [text.text for text in reason(answer).iter(f"{{{SOAP}}}Text")]
    assert len(texts) == 2
    assert not any("张三" in (text or "") or "10.0.0.1" in (text or "") for text in texts)


@pytest.mark.parametrize(
    "header",
    [
        '<w:Security xmlns:w="urn:w"/>',
        '<w:Security xmlns:w="urn:w" s:mustUnderstand="0"/>',
        f'<w:Security xmlns:w="urn:w" s:mustUnderstand="1" s:role="{SOAP}/role/none"/>',
        '<a:To s:mustUnderstand="true">http://x/</a:To>',
        f"<a:ReplyTo><a:Address>{WSA}/anonymous</a:Address></a:ReplyTo>",
    ],
)
async def test_headers_that_need_not_be_understood_are_passed_over(
    client: httpx.AsyncClient, header: str
) -> None:
    assert (await asked(client, with_header(header))).status_code == 200


async def test_a_fault_names_the_header_that_is_not_understood_and_the_message(
    client: httpx.AsyncClient,
) -> None:
    answer = await asked(client, with_header('<w:Security xmlns:w="urn:w" s:mustUnderstand="1"/>'))
    root = etree.fromstring(answer.content)
    block = root.find(f".//{{{SOAP}}}NotUnderstood")
    assert block is not None
    prefix, _, name = block.get("qname", "").partition(":")
    assert (block.nsmap[prefix], name) == ("urn:w", "Security")
    assert root.findtext(f".//{{{WSA}}}RelatesTo") == "urn:1"
    assert root.findtext(f".//{{{SOAP}}}Code/{{{SOAP}}}Value") == "soap:MustUnderstand"


async def test_an_addressing_fault_has_its_subcode(client: httpx.AsyncClient) -> None:
    answer = await asked(client, with_header("", action="urn:x:Nothing"))
    assert reason(answer).findtext(f".//{{{SOAP}}}Subcode/{{{SOAP}}}Value") == "wsa:ActionNotSupported"


async def test_a_fault_names_its_code_for_programs(client: httpx.AsyncClient) -> None:
    answer = await asked(client, with_header("", action="urn:x:Forbidden"))
    assert reason(answer).findtext(f"{{{SOAP}}}Detail/{{{DETAIL}}}错误/{{{DETAIL}}}代码") == "forbidden"


BARE = f'<s:Envelope xmlns:s="{SOAP}"><s:Body><x:Ask xmlns:x="urn:x"/></s:Body></s:Envelope>'


@pytest.mark.parametrize("content_type", [IN_SOAP, f'{IN_SOAP}; action="{ASK}"', f'{IN_SOAP}; action=""'])
async def test_where_addressing_may_be_missing_the_message_names_its_action(content_type: str) -> None:
    operations = {ASK: Operation(None, threaded(echoed))}
    endpoint = Endpoint(operations, sign_in, Limits(body=1000), failed, unaddressed=True)
    transport = httpx.ASGITransport(Starlette(routes=[endpoint.route("/xds/repository")]))
    async with httpx.AsyncClient(transport=transport, headers={"Authorization": "Basic eDp5"}) as client:
        answer = await asked(client, BARE, content_type)
    root = etree.fromstring(answer.content)
    header = root.find(f"{{{SOAP}}}Header")
    assert header is not None
    assert header.findtext(f"{{{WSA}}}Action") == "urn:x:answer"
    assert not any(block.get(f"{{{SOAP}}}mustUnderstand") for block in header)


async def test_elsewhere_it_must_be_there(client: httpx.AsyncClient) -> None:
    answer = await asked(client, BARE, f'{IN_SOAP}; action="{ASK}"')
    assert (answer.status_code, FAULTS) == (400, [("addressing", "system.huangpu")])


async def test_who_has_not_signed_in_is_challenged(client: httpx.AsyncClient) -> None:
    client.headers.pop("authorization")
    answer = await asked(client, with_header(""))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert FAULTS == [("unauthenticated", None)]


async def test_a_body_that_stops_arriving_is_given_up() -> None:
    endpoint = Endpoint(OPERATIONS, sign_in, Limits(body=100, read_seconds=0.01), failed)
    transport = httpx.ASGITransport(Starlette(routes=[endpoint.route("/xds/repository")]))

    async def stuck() -> Any:
        yield b"<"
        await asyncio.Event().wait()

    async with httpx.AsyncClient(transport=transport, headers={"Authorization": "Basic eDp5"}) as client:
        answer = await client.post(URL, content=stuck(), headers={"Content-Type": IN_SOAP})
    assert answer.status_code == 408


@pytest.mark.parametrize(
    ("action", "headers", "counted"),
    [
        (ASK, {}, {"accepted": 1}),
        ("urn:x:Refused", {}, {"refused": 1}),
        ("urn:x:Unknown", {}, {"refused": 1}),
        ("urn:x:Away", {}, {"unavailable": 1}),
        ("urn:x:Broken", {}, {"unavailable": 1}),
        ("urn:x:Forbidden", {}, {}),
        ("urn:x:Question", {}, {}),
        (ASK, {"authorization": ""}, {}),
    ],
)
async def test_what_became_of_content_is_counted_and_questions_are_not(
    action: str, headers: dict[str, str], counted: dict[str, int]
) -> None:
    async def known(request: Request) -> str:
        if not request.headers["authorization"]:
            raise NotSignedInError("nobody")
        return await sign_in(request)

    def fate(answer: etree._Element) -> Fate:
        return Fate.ACCEPTED if answer.tag == "{urn:x}answer" else Fate.REFUSED

    refusal = etree.Element("{urn:x}refusal")
    operations: dict[str, Operation[str]] = {
        name: Operation(ANSWER, operation.handle, fate) for name, operation in OPERATIONS.items()
    }
    operations["urn:x:Refused"] = Operation(ANSWER, threaded(lambda _: refusal), fate)
    operations["urn:x:Question"] = Operation(ANSWER, threaded(raises(RetryableError("away"))))
    counts = Counts()
    endpoint = Endpoint(operations, known, Limits(body=100_000), failed, counts=counts)
    transport = httpx.ASGITransport(Starlette(routes=[endpoint.route("/xds/repository")]))
    signed = {"authorization": "Basic eDp5", "content-type": IN_SOAP, **headers}
    async with httpx.AsyncClient(transport=transport) as client:
        await client.post(URL, content=request(action=action), headers=signed)
    assert counts.detail() == {"accepted": 0, "refused": 0, "unavailable": 0, **counted}
