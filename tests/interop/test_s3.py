"""The documents' store in S3: against moto, the S3 that others test with."""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import obstore
import pytest
import sqlalchemy as sa

from consortium.documents.content import CorruptContentError, StoreAwayError, key_of
from consortium.documents.guarded import Guarded
from consortium.documents.objects import BucketStore, s3
from consortium.records import query, service
from consortium.records.model import Change, Coded, Document, Kind, Patient, Provenance
from consortium.records.query import STORE
from runtime.settings import home

MOTO = ("--from", "moto[s3]==5.2.5", "--with", "flask==3.1.3", "--with", "flask-cors==6.0.5", "moto_server")
TEXT = "出院小结：病情平稳。珅".encode() * 500
NAME = hashlib.sha256(TEXT).digest()
START_SECONDS = 90


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """URL of moto's server; the tests are skipped, with the reason, where it cannot be had."""
    uv = shutil.which("uv") or str(home() / "boot" / "bin" / "uv")
    url = f"http://127.0.0.1:{(port := free_port())}"
    try:
        process = subprocess.Popen(
            [uv, "tool", "run", *MOTO, "-H", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError:
        pytest.skip("moto is installed by uv, which is not here")
    try:
        _wait(url, process)
        yield url
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            httpx.get(url, timeout=1.0)
        except httpx.TransportError:
            if process.poll() is not None:
                assert process.stderr is not None
                pytest.skip(f"moto could not be installed: {process.stderr.read().decode()[-500:]}")
        else:
            return
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    pytest.skip(f"moto did not start within {START_SECONDS} s")


def options(endpoint: str) -> dict[str, str]:
    return {"endpoint": endpoint, "access_key_id": "x", "secret_access_key": "y", "region": "us-east-1"}


@pytest.fixture
def bucket(endpoint: str) -> str:
    """A bucket of the test's own."""
    name = f"bucket-{uuid.uuid4().hex}"
    httpx.put(f"{endpoint}/{name}").raise_for_status()
    return name


@pytest.fixture
def store(endpoint: str, bucket: str) -> BucketStore:
    """A store below a prefix."""
    return s3(f"s3://{bucket}/documents/", options(endpoint))


def test_what_is_put_comes_back_and_is_listed_until_it_is_removed(store: BucketStore) -> None:
    assert (store.has(NAME), store.get(NAME)) == (False, None)
    store.put(NAME, TEXT)
    store.put(NAME, TEXT)
    assert store.has(NAME)
    assert store.get(NAME) == TEXT
    assert [one.sha256 for one in store.all()] == [NAME]
    store.remove(NAME)
    store.remove(NAME)
    assert list(store.all()) == []


def test_it_lies_under_the_prefix_and_damage_is_told(store: BucketStore, bucket: str, endpoint: str) -> None:
    store.put(NAME, TEXT)
    whole = s3(f"s3://{bucket}", options(endpoint))
    [[found]] = obstore.list(whole._store)
    assert found["path"] == f"documents/{key_of(NAME)}"
    obstore.put(whole._store, found["path"], b"damaged")
    with pytest.raises(CorruptContentError):
        store.get(NAME)


def test_a_bucket_that_is_not_there_is_away(endpoint: str) -> None:
    with pytest.raises(StoreAwayError):
        s3("s3://nobodys-bucket", options(endpoint)).put(NAME, TEXT)


def test_what_messages_documents_hold_goes_to_the_bucket_before_the_commit(
    store: BucketStore, endpoint: str, database_url: str
) -> None:
    base = sa.create_engine(database_url.replace("postgresql://", "postgresql+psycopg://", 1))
    noise = hashlib.shake_256(b"seed").digest(50_000)
    documents = tuple(
        Document(number=f"D{n}", type=Coded(code="D02"), title="出院小结", content=content)
        for n, content in enumerate((TEXT, noise))
    )
    change = Change(kind=Kind.DOCUMENT, patient=Patient(number="P1"), documents=documents)
    said = Provenance(message_id=1, facility="MAIN", received_at=datetime(2026, 11, 25, tzinfo=UTC))
    away = Guarded(s3("s3://nobodys-bucket", options(endpoint)))
    with (
        base.execution_options(**{STORE: away}).connect() as connection,
        pytest.raises(StoreAwayError, match="nobodys-bucket"),
    ):
        service.apply(connection, change, said)
    assert away.trouble() is not None
    with base.execution_options(**{STORE: Guarded(store)}).begin() as connection:
        service.apply(connection, change, said)
        found = connection.execute(sa.text("SELECT id FROM records.document ORDER BY number")).scalars().all()
        held = [query.content(connection, id_) for id_ in found]
        rows = connection.execute(sa.text("SELECT coding, length(content) FROM records.blob")).all()
    base.dispose()
    assert [one.data for one in held if one] == [TEXT, noise]
    assert rows == [("moved", 0)] * 2
    assert store.get(NAME) == TEXT
