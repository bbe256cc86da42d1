"""Messages from the source packages of hl7 and hl7apy, sent by hl7's own client."""

import asyncio
from collections import Counter

import psycopg
import pytest
from hl7.client import MLLPClient

from bus.hl7.message import parse
from bus.hl7.problem import HL7Error
from bus.router.effects import Services
from bus.router.router import Router
from tests.integration.bus.clinic import engine_of
from tests.interop.sources import PART_OF_A_BATCH


def answer_to(client, body):
    """Send, and return MSA-1 and the whole answer, in whatever delimiters it came."""
    raw = client.send_message(body)
    assert raw[:1] == b"\x0b"
    assert raw[-2:] == b"\x1c\r"
    (msa,) = (line for line in raw[1:-2].split(b"\r") if line.startswith(b"MSA"))
    return msa.split(msa[3:4])[1].decode(), raw


def is_batch(sample):
    """Say whether it is an envelope of messages (HL7 v2.5 section 2.10.3)."""
    return sample.body[:3] in {b"FHS", b"BHS"}


@pytest.fixture
def singles(samples):
    """The samples that are one message, or none."""
    return [sample for sample in samples if not is_batch(sample)]


@pytest.fixture
async def answers(singles, listener):
    """Every one of them with its answer, all over one connection."""

    def send_all():
        with MLLPClient("127.0.0.1", listener.port) as client:
            client.socket.settimeout(20)
            return [(sample, *answer_to(client, sample.body)) for sample in singles]

    return await asyncio.to_thread(send_all)


def test_both_packages_hold_samples_worth_sending(samples):
    found = Counter(sample.where.partition("-")[0] for sample in samples)
    assert found["hl7"] >= 50
    assert found["hl7apy"] >= 35
    assert any(sample.body.startswith(b"FHS") for sample in samples)
    assert any(not sample.body.startswith(b"MSH|") for sample in samples)


async def test_each_is_taken_or_refused_with_its_reason(answers):
    codes = Counter(code for _, code, _ in answers)
    assert set(codes) == {"AA", "AR"}
    assert codes["AA"] >= 15
    for sample, code, raw in answers:
        if code == "AR":
            assert b"ERR" in raw, sample.where


async def test_what_is_taken_is_kept_byte_for_byte(answers, database_url):
    with psycopg.connect(database_url) as connection:
        kept = {bytes(body) for (body,) in connection.execute("SELECT body FROM bus.message")}
        (waiting,) = connection.execute("SELECT count(*) FROM bus.work").fetchone() or (0,)
    taken = {sample.body for sample, code, _ in answers if code == "AA"}
    assert taken == kept
    assert waiting == len(kept)


async def test_what_is_refused_is_kept_with_its_reason(answers, database_url):
    refused = Counter(sample.body for sample, code, _ in answers if code == "AR")
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT body, code, reason FROM bus.refusal").fetchall()
    assert Counter(bytes(body) for body, _, _ in rows) == refused
    assert all(code and len(reason) > 10 for _, code, reason in rows)
    reasons = {code for _, code, _ in rows}
    assert {"unknown_type", "unknown_campus", "missing_field", "unknown_charset"} <= reasons


async def test_each_is_found_again_by_messages_list(answers, messages_list):
    listed = Counter((entry["state"] == "refused", entry["size"]) for entry in messages_list())
    taken = {sample.body for sample, code, _ in answers if code == "AA"}
    sent = Counter((False, len(body)) for body in taken)
    sent.update((True, len(sample.body)) for sample, code, _ in answers if code == "AR")
    assert listed == sent
    assert all(entry["reason"] for entry in messages_list("--state", "refused"))


def test_what_is_parsed_and_printed_has_the_same_bytes(singles):
    printed = 0
    for sample in singles:
        try:
            message = parse(sample.body)
            same = message.encode()
        except HL7Error:
            continue  # what is no message is refused by name; the tests above see to that
        assert same == sample.body, sample.where
        printed += 1
    assert printed >= 40


async def test_the_router_records_each_or_holds_it_with_its_reason(answers, foreign_rules, database_url):
    engine = engine_of(database_url)
    with psycopg.connect(database_url) as connection:
        ids = [id_ for (id_,) in connection.execute("SELECT id FROM bus.work ORDER BY id")]
    router = Router(engine, foreign_rules, Services())
    router.answer(ids)
    with psycopg.connect(database_url) as connection:
        held = connection.execute("SELECT code, reason FROM bus.held WHERE released_at IS NULL").fetchall()
        left = connection.execute("SELECT state, count(*) FROM bus.work GROUP BY 1").fetchall()
        (recorded,) = connection.execute(
            "SELECT count(DISTINCT message_id) FROM bus.trace WHERE step = 'recorded'"
        ).fetchone() or (0,)
    assert all(code != "internal_error" and len(reason) > 10 for code, reason in held)
    codes = {code for code, _ in held}
    assert {"no_rule", "impossible_date"} <= codes, "rules took some of them and read their fields"
    assert all(state != 0 for state, _ in left), "nothing is left to do"
    waiting = sum(count for state, count in left if state == 2)  # behind a held one of the same patient
    assert len(ids) == recorded + len(held) + waiting


async def test_a_control_id_used_for_another_message_is_held_and_told(answers, messages_list):
    conflicts = messages_list("--control-id", "CNTRL-3456")
    assert len(conflicts) == 2
    assert {entry["code"] for entry in conflicts} == {None, "control_id_conflict"}


async def test_the_same_samples_again_get_the_same_answers_and_no_second_row(
    answers, singles, listener, messages_list
):
    before = [entry["id"] for entry in messages_list() if entry["state"] != "refused"]

    def send_again():
        with MLLPClient("127.0.0.1", listener.port) as client:
            client.socket.settimeout(20)
            return [answer_to(client, sample.body)[0] for sample in singles]

    assert await asyncio.to_thread(send_again) == [code for _, code, _ in answers]
    assert [entry["id"] for entry in messages_list() if entry["state"] != "refused"] == before


async def test_batches_are_answered_and_every_message_in_them_is_found_again(samples, listener, database_url):
    batches = [sample for sample in samples if is_batch(sample)]
    assert len(batches) >= 10

    def send_all():
        with MLLPClient("127.0.0.1", listener.port) as client:
            client.socket.settimeout(20)
            return [client.send_message(batch.body) for batch in batches]

    answers = await asyncio.to_thread(send_all)
    with psycopg.connect(database_url) as connection:
        kept = {bytes(body).strip() for (body,) in connection.execute("SELECT body FROM bus.message")}
        refused = [bytes(body) for (body,) in connection.execute("SELECT body FROM bus.refusal")]
    taken = 0
    for batch, answer in zip(batches, answers, strict=True):
        if answer[1:4] in {b"FHS", b"BHS"}:
            messages = [part for part in PART_OF_A_BATCH.split(batch.body.decode()) if part.startswith("MSH")]
            taken += len(messages)
            for message in messages:
                body = message.strip().encode()
                assert body in kept or any(body in one for one in refused), batch.where
        else:
            assert b"MSA|AR|" in answer, batch.where
            assert b"ERR" in answer, batch.where
            assert batch.body in refused, batch.where
    assert taken >= 10
