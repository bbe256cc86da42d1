"""Every inbound adapter keeps the same promises, each in its protocol's own words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from bus import journal
from bus.finding import Filters, State
from bus.sources.opening import open_source
from bus.sources.source import Envelope
from tests.conftest import replace_path
from tests.contract.adapters.files_harness import FilesHarness
from tests.contract.adapters.gateway_harness import GatewayHarness
from tests.contract.adapters.harness import Answer, Harness, Patient, Running, manifest
from tests.contract.adapters.ihe_harness import IheHarness
from tests.contract.adapters.mllp_harness import MllpHarness
from tests.contract.adapters.rest_harness import RestHarness
from tests.contract.adapters.soap_harness import SoapHarness
from tests.contract.adapters.tables_harness import TablesHarness

HARNESSES: dict[str, Callable[[], Harness]] = {
    "files": FilesHarness,
    "gateway": GatewayHarness,
    "ihe": IheHarness,
    "mllp": MllpHarness,
    "rest": RestHarness,
    "soap": SoapHarness,
    "tables": TablesHarness,
}
HAZARDOUS = "".join(c for c in map(chr, range(0x4E00, 0x9FA6)) if set(b"|^~\\&") & set(c.encode("gb18030")))
"""The ideographs that hold a delimiter of HL7 in GB 18030."""
NAMES = {"BIG-5": "許功蓋", "": HAZARDOUS[:90]}


@pytest.fixture(params=HARNESSES)
def kind(request: pytest.FixtureRequest) -> str:
    """An adapter's name."""
    return str(request.param)


@pytest.fixture
def harness(kind: str, postgres_url: str) -> Iterator[Harness]:
    """The harness of that adapter."""
    made = HARNESSES[kind]()
    yield made
    if isinstance(made, FilesHarness | GatewayHarness | TablesHarness):
        made.close()


@pytest.fixture
def said(kind: str) -> dict[str, Any]:
    """What the adapter's manifest says."""
    return manifest(kind)


@pytest.fixture
def running(harness: Harness, database_url: str) -> Iterator[Running]:
    """The adapter at work."""
    with harness.running(database_url) as running:
        yield running


def names(database_url: str, path: str) -> list[str | None]:
    """Return the patients' names in the inbox, as a rule reads them."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT body, charset, facility, sender, message_type FROM bus.message ORDER BY id"
        ).fetchall()
    return [open_source(bytes(row[0]), row[1], Envelope(row[2], row[3], row[4])).get(path) for row in rows]


@contextmanager
def away(database_url: str) -> Iterator[None]:
    """The platform's database is out of reach."""
    name = database_url.rpartition("/")[2]

    def allow(yes: bool) -> None:
        statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(sql.Identifier(name), yes)
        with psycopg.connect(replace_path(database_url, "postgres"), autocommit=True) as admin:
            admin.execute(statement)
            if not yes:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
                )

    allow(False)
    try:
        yield
    finally:
        allow(True)


HANGING = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'bus.inbox'::regclass AND NOT granted)"


@contextmanager
def slow(database_url: str) -> Iterator[Callable[[], None]]:
    """The platform's database takes a message and does not say so before the block ends.

    Gives a function that returns once a message hangs there.
    """

    def hangs() -> None:
        until = time.monotonic() + 30
        with psycopg.connect(database_url, autocommit=True) as looking:
            while looking.execute(HANGING).fetchone() != (True,):
                assert time.monotonic() < until, "no message came as far as the store"

    with psycopg.connect(database_url) as holding:
        holding.execute("LOCK TABLE bus.inbox IN SHARE ROW EXCLUSIVE MODE")
        yield hangs


def told(answers: list[Answer]) -> list[str]:
    """Return the words."""
    return [answer.word for answer in answers]


def test_chinese_arrives_as_it_was_written_in_every_charset(
    running: Running, harness: Harness, said: dict[str, Any], database_url: str
) -> None:
    sent = [
        (Patient(f"C{n}", NAMES.get(charset, NAMES[""])), charset)
        for n, charset in enumerate(said["charsets"])
    ]
    answers = [running.send(patient, charset) for patient, charset in sent]
    assert told(answers) == [said["answers"]["accepted"]] * len(sent)
    assert names(database_url, harness.name_path) == [patient.name for patient, _ in sent]


def test_every_hazardous_ideograph_arrives(
    running: Running, harness: Harness, said: dict[str, Any], database_url: str
) -> None:
    charset = said["charsets"][-1] if said["charsets"][-1] != "BIG-5" else "GB 18030-2000"
    parts = [HAZARDOUS[n : n + 60] for n in range(0, len(HAZARDOUS), 60)]
    for n, part in enumerate(parts):
        assert running.send(Patient(f"C{n}", part), charset).word == said["answers"]["accepted"]
    assert sorted(map(str, names(database_url, harness.name_path))) == sorted(parts)


def test_the_same_again_is_answered_the_same_and_stored_once(
    running: Running, harness: Harness, said: dict[str, Any], database_url: str
) -> None:
    patient, charset = Patient("C1", "欧阳珅"), said["charsets"][0]
    answers = [running.send(patient, charset) for _ in range(3)]
    assert answers == [answers[0]] * 3
    assert answers[0].word == said["answers"]["accepted"]
    assert names(database_url, harness.name_path) == ["欧阳珅"]


def test_other_content_under_a_known_id_is_not_lost(
    running: Running, harness: Harness, said: dict[str, Any], database_url: str
) -> None:
    charset = said["charsets"][0]
    answers = [running.send(Patient("C1", name), charset) for name in ("欧阳珅", "欧阳坤")]
    if said.get("known_id") == "refused":
        assert told(answers) == [said["answers"]["accepted"], said["answers"]["refused"]]
        [entry] = refused(database_url)
        assert str(entry.code) in answers[1].reason
        assert "欧阳坤" in kept(database_url)
        assert names(database_url, harness.name_path) == ["欧阳珅"]
    else:
        assert told(answers) == [said["answers"]["accepted"]] * 2
        assert names(database_url, harness.name_path) == ["欧阳珅", "欧阳坤"]


def test_what_was_accepted_survives_a_restart_and_is_known_after_it(
    harness: Harness, said: dict[str, Any], database_url: str
) -> None:
    patient, charset = Patient("C1", "欧阳珅"), said["charsets"][0]
    with harness.running(database_url) as before:
        first = before.send(patient, charset)
    with harness.running(database_url) as after:
        assert after.send(patient, charset) == first
        assert after.send(Patient("C2", "珅"), charset).word == said["answers"]["accepted"]
    assert names(database_url, harness.name_path) == ["欧阳珅", "珅"]


def test_a_store_that_is_away_is_told_and_the_message_comes_in_when_it_is_back(
    running: Running, harness: Harness, said: dict[str, Any], database_url: str
) -> None:
    charset, unavailable = said["charsets"][0], said["counters"]["unavailable"]
    assert running.send(Patient("C1", "欧阳珅"), charset).word == said["answers"]["accepted"]
    before = running.detail()[unavailable]
    with harness.away() if isinstance(harness, GatewayHarness) else away(database_url):
        answer = running.send(Patient("C2", "珅"), charset)
        assert answer.word == said["answers"]["unavailable"]
        assert answer.reason.strip()
        assert running.detail()[unavailable] > before
    again = [running.send(Patient("C2", "珅"), charset).word for _ in range(2)]
    assert again[-1] == said["answers"]["accepted"]
    assert names(database_url, harness.name_path) == ["欧阳珅", "珅"]


def test_a_slow_store_makes_senders_wait_and_each_message_comes_in_once(
    running: Running, harness: Harness, said: dict[str, Any], database_url: str
) -> None:
    words, accepted = said["answers"], said["counters"]["accepted"]
    patients = [Patient(f"C{n}", name) for n, name in enumerate(("欧阳珅", "珅", "坤"))]
    polled = words["accepted"] == "polling"  # one at a time; others come at once, and are sent again
    sent = patients if polled else patients * 2
    with ThreadPoolExecutor(1 if polled else len(sent)) as campus, slow(database_url) as hangs:
        answers = [campus.submit(running.send, patient, said["charsets"][0]) for patient in sent]
        hangs()
        assert not any(answer.done() for answer in answers)
        assert names(database_url, harness.name_path) == []
        if not isinstance(harness, GatewayHarness):  # which answers for its spool, and keeps it there
            assert running.detail()[accepted] == 0
    assert told([answer.result() for answer in answers]) == [words["accepted"]] * len(sent)
    assert sorted(map(str, names(database_url, harness.name_path))) == sorted(one.name for one in patients)
    assert running.detail()[said["counters"]["unavailable"]] == 0


def test_bad_input_is_refused_with_a_reason_that_can_be_found_and_costs_nothing_else(
    running: Running, harness: Harness, said: dict[str, Any], database_url: str
) -> None:
    answer = running.send_bad()
    assert answer.word == said["answers"]["refused"]
    assert answer.reason.strip()
    if said["refusals"] == "heartbeat":
        assert running.detail()["reason"] == answer.reason
    else:
        assert harness.bad_code in answer.reason
        [entry] = refused(database_url)
        assert (entry.code, entry.state) == (harness.bad_code, State.REFUSED)
        assert entry.reason
        assert entry.size > 0
    assert running.detail()[said["counters"]["refused"]] == 1
    assert running.send(Patient("C1", "欧阳珅"), said["charsets"][0]).word == said["answers"]["accepted"]
    assert names(database_url, harness.name_path) == ["欧阳珅"]


def refused(database_url: str) -> tuple[journal.Entry, ...]:
    """Return the message list's refusals."""
    url = sa.make_url(database_url).set(drivername="postgresql+psycopg")
    with ExitStack() as opened:
        engine = sa.create_engine(url)
        opened.callback(engine.dispose)
        connection = opened.enter_context(engine.connect())
        return journal.search(connection, Filters(state=State.REFUSED)).entries


def kept(database_url: str) -> str:
    """Return the bytes of the one refusal, as text."""
    with psycopg.connect(database_url) as connection:
        [(body,)] = connection.execute("SELECT body FROM bus.refusal").fetchall()
    return bytes(body).decode()


def test_the_heartbeat_counts_what_came(running: Running, said: dict[str, Any]) -> None:
    counters = said["counters"]
    assert set(counters.values()) <= set(running.detail())
    before = running.detail()[counters["accepted"]]
    for n in range(3):
        running.send(Patient(f"C{n}", "珅"), said["charsets"][0])
    assert running.detail()[counters["accepted"]] == before + 3


def test_neither_counters_nor_reasons_hold_a_patient_s_name(
    running: Running, said: dict[str, Any], database_url: str
) -> None:
    running.send(Patient("C1", "欧阳珅"), said["charsets"][0])
    bad = running.send_bad()
    assert "欧阳珅" not in f"{running.detail()} {bad.reason} {[e.reason for e in refused(database_url)]}"
