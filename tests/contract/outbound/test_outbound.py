"""Every way of sending keeps the same promises, each in its protocol's own words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from adapters.soap.versions import Version
from bus.delivery.transport import Answer, NotSentError, SentForm, UnansweredError, UnsendableError, Verdict
from tests.contract.outbound.files_harness import FOLDER_KNOWS, FolderHarness, SftpHarness
from tests.contract.outbound.harness import NAME, Harness, How, Receiver, outgoing
from tests.contract.outbound.http_harness import (
    HttpHarness,
    by_element,
    by_header,
    rest,
    soap_says,
    soap_way,
    webhook,
)
from tests.contract.outbound.mllp_harness import BEHAVIOURS, MllpHarness
from tests.contract.outbound.pixv3_harness import by_number, pixv3
from tests.contract.outbound.pixv3_harness import says as pixv3_says
from tests.contract.outbound.tables_harness import TablesHarness
from tests.integration.bus.clinic import rows
from tests.integration.bus.delivery.queue import delivering, enqueue, messages, states, until

KINDS = (
    "mllp",
    "mllp-batched",
    "webhook",
    "rest",
    "soap11",
    "soap12",
    "tables-postgresql",
    "tables-mariadb",
    "files-folder",
    "files-sftp",
    "pixv3",
)
KNOW = {"mllp": frozenset(BEHAVIOURS), "mllp-batched": frozenset(BEHAVIOURS), "files-folder": FOLDER_KNOWS}
"""How receivers of a kind can behave, where not in every way."""
HAZARDOUS = "乗乛亅亊"
"""Ideographs that hold a delimiter of HL7 in GB 18030."""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """A way of sending."""
    return str(request.param)


@pytest.fixture
def harness(kind: str, request: pytest.FixtureRequest) -> Harness:
    """The harness of that way."""
    made: dict[str, Callable[[], Harness]] = {
        "mllp": MllpHarness,
        "mllp-batched": lambda: MllpHarness(batched=True),
        "webhook": lambda: HttpHarness(webhook, by_header("webhook-id"), reads=False),
        "rest": lambda: HttpHarness(rest, by_header("idempotency-key")),
        "soap11": lambda: HttpHarness(soap_way("Soap11"), by_element, soap_says(Version.V11)),
        "soap12": lambda: HttpHarness(soap_way("Soap12"), by_element, soap_says(Version.V12)),
        "tables-postgresql": lambda: TablesHarness(request.getfixturevalue("postgres_url")),
        "tables-mariadb": lambda: TablesHarness(request.getfixturevalue("mariadb_url")),
        "files-folder": FolderHarness,
        "files-sftp": SftpHarness,
        "pixv3": lambda: HttpHarness(pixv3, by_number, pixv3_says),
    }
    return made[kind]()


def needs(kind: str, how: How) -> None:
    """Skip where a receiver of this kind cannot behave so."""
    if how not in KNOW.get(kind, frozenset(How)):
        pytest.skip(f"{kind}: {how.name} does not happen there")


class Wire:
    """What the queue is told before the first byte goes out."""

    def __init__(self, receiver: Receiver, error: Exception | None = None) -> None:
        self.told = 0
        self.form: SentForm | None = None
        self._receiver = receiver
        self._error = error
        self._before: list[str] | None = None

    async def __call__(self, form: SentForm) -> None:
        """Nothing of this message may have come yet."""
        self._before = self._before or await self._receiver.got()
        assert await self._receiver.got() == self._before
        self.told += 1
        self.form = form
        if self._error is not None:
            raise self._error


@asynccontextmanager
async def tried(receiver: Receiver, number: int = 1) -> AsyncIterator[tuple[Wire, asyncio.Task[Answer]]]:
    """Start to send a message."""
    wire = Wire(receiver)
    yield wire, asyncio.create_task(receiver.transport.send(outgoing(number), wire))


async def sent(receiver: Receiver, number: int = 1) -> Answer:
    """Send a message; the queue is told once."""
    async with asyncio.timeout(20), tried(receiver, number) as (wire, task):
        answer = await task
    assert wire.told == 1
    return answer


async def test_what_is_taken_is_told_before_it_goes_out(harness: Harness) -> None:
    async with harness.receiving() as receiver:
        await receiver.transport.check()
        async with tried(receiver) as (wire, task):
            answer = await task
        assert answer.verdict is Verdict.TAKEN
        assert await receiver.got() == ["C1"]
        assert wire.form is not None
        assert "C1" in wire.form.body.decode(wire.form.charset) + (wire.form.place or "")


@pytest.mark.parametrize(
    ("charset", "name"), [("gb18030", HAZARDOUS), ("big5", "許功蓋"), ("utf-8", "欧阳珅𠮷")]
)
async def test_chinese_goes_out_as_it_was_written(
    harness: Harness, kind: str, charset: str, name: str
) -> None:
    if kind == "pixv3":
        pytest.skip("a notice tells of numbers alone")
    async with harness.receiving() as receiver, asyncio.timeout(20):
        wire = Wire(receiver)
        answer = await receiver.transport.send(outgoing(1, name=name, charset=charset), wire)
        assert answer.verdict is Verdict.TAKEN
        assert await receiver.effects() == ["C1"]
    assert wire.form is not None
    assert name in wire.form.body.decode(wire.form.charset)


async def test_where_the_queue_cannot_be_told_nothing_goes_out(harness: Harness) -> None:
    async with harness.receiving() as receiver:
        with pytest.raises(LookupError):
            await receiver.transport.send(outgoing(1), Wire(receiver, LookupError()))
        assert await receiver.got() == []
        assert (await sent(receiver, 2)).verdict is Verdict.TAKEN


async def test_who_is_away_is_sent_nothing_and_no_message_is_to_blame(harness: Harness) -> None:
    async with harness.receiving() as receiver:
        await receiver.down()
        wire = Wire(receiver)
        with pytest.raises(NotSentError) as raised:
            await receiver.transport.send(outgoing(1), wire)
        assert wire.told == 0
        assert "no connection" in str(raised.value)


@pytest.mark.parametrize("how", [How.SILENT, How.CLOSES])
async def test_without_an_answer_nobody_knows_and_the_next_message_is_not_mixed_up(
    harness: Harness, kind: str, how: How
) -> None:
    needs(kind, how)
    async with harness.receiving() as receiver:
        await receiver.behave(how)
        async with asyncio.timeout(20), tried(receiver) as (wire, task):
            with pytest.raises(UnansweredError) as raised:
                await task
        assert wire.told == 1
        assert NAME not in str(raised.value)
        await receiver.behave(How.TAKES)
        assert (await sent(receiver, 2)).verdict is Verdict.TAKEN
        assert "C2" in await receiver.effects()


@pytest.mark.parametrize(
    ("how", "verdict"),
    [
        (How.REFUSES, Verdict.NEVER),
        (How.LATER, Verdict.LATER),
        (How.WRONG_DOOR, Verdict.WRONG_DOOR),
    ],
)
async def test_a_refusal_says_whether_to_try_again(
    harness: Harness, kind: str, how: How, verdict: Verdict
) -> None:
    needs(kind, how)
    async with harness.receiving() as receiver:
        assert (await sent(receiver, 9)).verdict is Verdict.TAKEN
        await receiver.behave(how)
        answer = await sent(receiver)
        assert answer.verdict is verdict
        assert answer.raw
        assert NAME not in answer.code


async def test_what_is_sent_twice_is_done_once(harness: Harness) -> None:
    async with harness.receiving() as receiver:
        for _ in range(2):
            assert (await sent(receiver)).verdict is Verdict.TAKEN
        assert await receiver.effects() == ["C1"]


async def test_a_message_that_cannot_go_this_way_is_named_before_anything_goes_out(harness: Harness) -> None:
    if not harness.reads:
        pytest.skip("it sends whatever there is")
    async with harness.receiving() as receiver:
        wire = Wire(receiver)
        with pytest.raises(UnsendableError) as raised:
            await receiver.transport.send(outgoing(1, body=f"无 {NAME}".encode("gb18030")), wire)
        assert wire.told == 0
        assert NAME not in str(raised.value)
        assert await receiver.got() == []


async def test_several_are_on_their_way_at_a_time(harness: Harness) -> None:
    async with harness.receiving() as receiver, asyncio.timeout(20), asyncio.TaskGroup() as group:
        tasks = [group.create_task(receiver.transport.send(outgoing(n), nothing)) for n in range(1, 4)]
        answers = [await task for task in tasks]
        assert {answer.verdict for answer in answers} == {Verdict.TAKEN}
        assert sorted(await receiver.effects()) == ["C1", "C2", "C3"]


async def nothing(_form: SentForm) -> None:
    """Nobody is told."""


async def test_one_that_is_stopped_lets_go_at_once(harness: Harness, kind: str) -> None:
    needs(kind, How.SILENT)
    async with harness.receiving() as receiver:
        await receiver.behave(How.SILENT)
        on_its_way = asyncio.Event()

        async def wire(_form: SentForm) -> None:
            on_its_way.set()

        task = asyncio.create_task(receiver.transport.send(outgoing(1), wire))
        async with asyncio.timeout(20):
            await on_its_way.wait()
        task.cancel()
        async with asyncio.timeout(0.4):
            with pytest.raises(asyncio.CancelledError):
                await task
        await receiver.behave(How.TAKES)
        assert (await sent(receiver, 2)).verdict is Verdict.TAKEN


async def test_a_patients_messages_arrive_in_order_through_the_queue(
    harness: Harness, database_url: str
) -> None:
    async with harness.receiving() as receiver:
        name = receiver.spec.name
        arrivals, keys = messages(9, patients=3)
        enqueue(database_url, name, arrivals, keys)
        async with delivering(database_url, receiver.spec, receiver.transport):
            await until(lambda: states(database_url, name) == ["delivered"] * 9)
        found = rows(
            database_url,
            "SELECT bool_and(answered_at <= next) FROM (SELECT answered_at, lead(sent_at) OVER"
            " (PARTITION BY patient_key ORDER BY id) AS next FROM bus.delivery) AS each",
        )
        assert found == [(True,)]
        assert len(await receiver.effects()) == 9
