"""REST uploads over a real uvicorn into a real inbox."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI

from adapters.rest.examples import EXAMPLES
from adapters.rest.models import DOCUMENT, UPLOADS
from adapters.rest.server import create_router
from adapters.uploads import UploadSettings
from bus.inbox import Inbox
from tests.integration.adapters.serving import authenticate, serving

LIMIT = 200_000
AUTH = ("system.huangpu", "right")


def application(inbox: Inbox) -> FastAPI:
    """Return an application with the uploads alone."""
    app = FastAPI()
    settings = UploadSettings(frozenset({"HP", "MAIN"}), body_limit=LIMIT, name="yilian-1.2.3")
    app.include_router(create_router(inbox, settings, authenticate))
    return app


@pytest.fixture(scope="module")
def served(module_database_url: str) -> Iterator[str]:
    """URL of the origin."""
    with serving(module_database_url, application) as url:
        yield url


@pytest.fixture
def http(served: str, database: psycopg.Connection) -> Iterator[httpx.Client]:
    """A signed-in client at the uploads of Huangpu; nothing sent yet."""
    with httpx.Client(base_url=f"{served}/api/v1/upload/HP", auth=AUTH) as client:
        yield client


def key(control_id: str = "H-1") -> dict[str, str]:
    """Return the headers that name a message."""
    return {"Idempotency-Key": control_id, "X-Sending-System": "HIS"}


@pytest.mark.parametrize("offer", ["h2c", "websocket"])
@pytest.mark.parametrize("chunked", [False, True])
def test_an_offer_of_another_protocol_is_declined_and_the_upload_taken(
    http: httpx.Client, database: psycopg.Connection, offer: str, chunked: bool
) -> None:
    # As java.net.http.HttpClient sends every request over plain HTTP.
    offered = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": offer, "HTTP2-Settings": "AAEAAEAA"}
    body = json.dumps(EXAMPLES["patient"]).encode()
    content = iter([body[:40], body[40:]]) if chunked else body
    for _ in range(2):  # on one connection
        heading = {**key(), **offered, "Content-Type": "application/json"}
        response = http.post("/patient", content=content, headers=heading)
        assert response.status_code == 202, response.text
        content = body
    assert database.execute("SELECT count(*) FROM bus.inbox").fetchone() == (1,)


@pytest.mark.parametrize("kind", list(UPLOADS))
def test_each_upload_is_answered_after_the_commit(
    http: httpx.Client, database: psycopg.Connection, kind: str
) -> None:
    response = http.post(f"/{kind}", json=EXAMPLES[kind], headers=key())
    assert response.status_code == 202, response.text
    answer = response.json()
    assert answer["outcome"] == "stored"
    assert answer["journey"] == response.headers["location"] == f"/api/v1/messages/{answer['id']}"
    row = database.execute(
        "SELECT facility, sender, control_id, message_type, patient_number, protocol, body FROM bus.message"
        " WHERE id = %s",
        (answer["id"],),
    ).fetchone()
    assert row is not None
    assert row[:6] == ("HP", "HIS", "H-1", f"rest:{kind}", "HP000123", "rest")
    assert row[6] == response.request.content


def test_a_retry_is_a_duplicate_whatever_its_time_and_order_of_keys(
    http: httpx.Client, database: psycopg.Connection
) -> None:
    first = http.post("/patient", json=EXAMPLES["patient"], headers=key()).json()
    later = dict(reversed((EXAMPLES["patient"] | {"sent_at": "2026-11-20T10:00:00"}).items()))
    again = http.post("/patient", json=later, headers=key())
    assert again.status_code == 202
    assert again.json() == first | {"outcome": "duplicate"}
    assert database.execute("SELECT count(*) FROM bus.inbox").fetchone() == (1,)


def test_a_key_with_other_content_is_a_conflict(http: httpx.Client, database: psycopg.Connection) -> None:
    http.post("/patient", json=EXAMPLES["patient"], headers=key())
    other = copy.deepcopy(EXAMPLES["patient"])
    other["patient"]["phone"] = "13900000000"
    assert http.post("/patient", json=other, headers=key()).json()["outcome"] == "conflict"
    assert database.execute("SELECT code FROM bus.held").fetchall() == [("control_id_conflict",)]


def changed(**parts: Any) -> bytes:
    """Return the patient example with its patient changed."""
    return json.dumps({"patient": {"number": "HP1"} | parts}).encode()


BAD: dict[str, tuple[bytes, int, str]] = {
    "not JSON": (b"{", 400, "malformed_json"),
    "a list": (b"[]", 400, "malformed_json"),
    "not UTF-8": ('{"patient": {"number": "珅"}}'.encode("gb18030"), 400, "malformed_json"),
    "a key twice": (b'{"patient": {"number": "1", "number": "2"}}', 400, "malformed_json"),
    "NaN": (b'{"patient": {"number": NaN}}', 400, "malformed_json"),
    "nested deeply": (b"[" * 60_000, 400, "malformed_json"),
    "a misspelt key": (changed(nmae="x"), 422, "schema"),
    "an impossible date": (changed(birth_date="1990-02-30"), 422, "schema"),
    "no patient": (b"{}", 422, "schema"),
    "a NUL": (changed(name="a\0b"), 422, "schema"),
    "half a surrogate": (b'{"patient": {"number": "\\ud800"}}', 422, "schema"),
    "too large": (changed(name="x" * LIMIT), 413, "too_large"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_body_is_a_problem_and_is_kept(
    http: httpx.Client, database: psycopg.Connection, name: str
) -> None:
    body, status, code = BAD[name]
    response = http.post("/patient", content=body, headers=key() | {"Content-Type": "application/json"})
    assert (response.status_code, response.json()["type"]) == (status, f"urn:yilian:problem:{code}")
    assert response.headers["content-type"] == "application/problem+json"
    refusals = database.execute("SELECT code, message_type, facility, size FROM bus.refusal").fetchall()
    assert refusals == [(code, "rest:patient", "HP", len(body))]
    assert http.post("/patient", json=EXAMPLES["patient"], headers=key()).status_code == 202


def test_a_problem_names_the_field_and_not_its_value(http: httpx.Client) -> None:
    body = changed(birth_date="SECRET-30")
    response = http.post("/patient", content=body, headers=key() | {"Content-Type": "application/json"})
    assert [error["path"] for error in response.json()["errors"]] == ["patient.birth_date"]
    assert "SECRET" not in response.text


def test_what_we_sent_ourselves_is_refused_and_kept(http: httpx.Client, database: psycopg.Connection) -> None:
    body = json.dumps(EXAMPLES["patient"]).encode()
    sent = key() | {"Content-Type": "application/json"}
    response = http.post("/patient", content=body, headers=sent | {"Via": "1.1 yilian-1.2.3, 1.1 edge"})
    assert (response.status_code, response.json()["type"]) == (508, "urn:yilian:problem:loop")
    assert database.execute("SELECT code, body FROM bus.refusal").fetchall() == [("loop", body)]
    other = http.post("/patient", content=body, headers=sent | {"Via": "1.1 yilian-9.9.9, 1.1 edge"})
    assert other.status_code == 202


def test_another_campus_is_refused(http: httpx.Client, database: psycopg.Connection) -> None:
    for facility, status, code in (("MAIN", 403, "wrong_campus"), ("XX", 404, "unknown_campus")):
        response = http.post(f"../{facility}/patient", json=EXAMPLES["patient"], headers=key())
        assert (response.status_code, response.json()["type"]) == (status, f"urn:yilian:problem:{code}")
    assert database.execute("SELECT count(*) FROM bus.inbox").fetchone() == (0,)


def test_an_unknown_kind_is_refused_and_kept(http: httpx.Client, database: psycopg.Connection) -> None:
    assert http.post("/dicom", json={}, headers=key()).status_code == 404
    assert database.execute("SELECT code, message_type FROM bus.refusal").fetchall() == [
        ("unknown_type", "rest:dicom")
    ]


def test_headers_that_are_missing_are_named(http: httpx.Client) -> None:
    response = http.post("/patient", json=EXAMPLES["patient"])
    assert response.status_code == 400
    assert "Idempotency-Key" in response.json()["detail"]
    plain = http.post("/patient", content=b"x", headers=key() | {"Content-Type": "text/plain"})
    assert plain.status_code == 415


def test_without_credentials_nothing_is_read(served: str, database: psycopg.Connection) -> None:
    response = httpx.post(f"{served}/api/v1/upload/HP/patient", json=EXAMPLES["patient"], headers=key())
    assert response.status_code == 401
    assert "Bearer" in response.headers["www-authenticate"]
    assert database.execute("SELECT code, body FROM bus.refusal").fetchall() == [("unauthenticated", b"")]


def test_openapi_shows_each_upload_with_its_example(served: str) -> None:
    paths = httpx.get(f"{served}/openapi.json").json()["paths"]
    assert set(paths) == {f"/api/v1/upload/{{facility}}/{kind}" for kind in (*UPLOADS, DOCUMENT)}
    operation = paths["/api/v1/upload/{facility}/lab_report"]["post"]
    content = operation["requestBody"]["content"]["application/json"]
    assert content["example"] == EXAMPLES["lab_report"]
    assert "$ref" not in json.dumps(content)
    assert "202" in operation["responses"]
