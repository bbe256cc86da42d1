"""What was sent and not answered is asked for: nobody decides what the receiver can tell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.files.outbound import FilesTransport
from adapters.rest.outbound import RestTransport
from adapters.tables.outbound import TablesTransport
from bus.delivery.building import Building
from bus.delivery.transport import Answer, Found, OnWire, Outgoing, Transport, UnansweredError
from bus.fhir.systems import Systems
from bus.rules.destinations import AnyDestination, FilesDestination, RestDestination, TablesDestination
from runtime.settings import FilePlace, Settings
from tests.contract.outbound.harness import How
from tests.contract.outbound.http_harness import COMMON, plain
from tests.contract.outbound.http_receiver import Server
from tests.integration.bus.clinic import rows, steps
from tests.integration.bus.delivery.queue import delivering, enqueue, messages, states, until

SOON = {"wait_seconds": 0.05}
AGAIN = {**SOON, "not_found": "resend"}


class Deaf:
    """A way whose answer to the first message is lost: after it was written, or before."""

    def __init__(self, way: Any, *, written: bool) -> None:
        self._way = way
        self._written = written
        self.sent = 0

    async def send(self, message: Outgoing, on_wire: OnWire) -> Answer:
        self.sent += 1
        if self.sent > 1:
            answer: Answer = await self._way.send(message, on_wire)
            return answer
        if self._written:
            await self._way.send(message, on_wire)
        else:
            await on_wire(message.as_it_is)
        raise UnansweredError("the connection was lost")

    async def arrived(self, message: Outgoing) -> Found:
        found: Found = await self._way.arrived(message)
        return found

    async def check(self) -> None:
        await self._way.check()

    async def close(self) -> None:
        await self._way.close()


def named(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def files(folder: Path, verify: dict[str, Any]) -> tuple[FilesDestination, Transport]:
    spec = FilesDestination(**COMMON, kind="files", place="out", file="{control_id}.hl7", verify=verify)
    return spec, FilesTransport(spec, FilePlace(url=str(folder)))


def table(url: str, verify: dict[str, Any]) -> tuple[TablesDestination, Transport]:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE arrived (control_id text PRIMARY KEY, patient text, done int)")
    spec = TablesDestination(
        **COMMON,
        kind="tables",
        database="way",
        table="arrived",
        key=("control_id",),
        columns={"control_id": "MSH-10", "patient": "PID-3.1"},
        status={"column": "done", "new": 0},
        verify=verify,
    )
    return spec, TablesTransport(spec, url)


@pytest.mark.parametrize("kind", ["files", "tables"])
@pytest.mark.parametrize("written", [True, False])
async def test_what_is_there_is_delivered_and_what_is_not_is_sent_again(
    database_url: str, tmp_path: Path, kind: str, written: bool
) -> None:
    spec, way = files(tmp_path, AGAIN) if kind == "files" else table(database_url, AGAIN)
    deaf = Deaf(way, written=written)
    enqueue(database_url, "way", *messages(2))
    async with delivering(database_url, spec, Building(deaf, spec, Systems(Settings()))):
        await until(lambda: states(database_url, "way") == ["delivered"] * 2)
    assert deaf.sent == (2 if written else 3)
    code = "verified" if written else ("written" if kind == "files" else "committed")
    assert rows(database_url, "SELECT code FROM bus.delivery ORDER BY id LIMIT 1") == [(code,)]
    if kind == "files":
        assert named(tmp_path) == ["P1-1.hl7", "P1-2.hl7"]
    else:
        assert rows(database_url, "SELECT control_id FROM arrived ORDER BY 1") == [("P1-1",), ("P1-2",)]


async def test_what_a_reader_may_have_taken_away_is_left_to_a_person(
    database_url: str, tmp_path: Path
) -> None:
    spec, way = files(tmp_path, SOON)
    deaf = Deaf(way, written=False)
    enqueue(database_url, "way", *messages(2))
    asked = "SELECT code, state FROM bus.delivery ORDER BY id LIMIT 1"
    async with delivering(database_url, spec, deaf):
        await until(lambda: rows(database_url, asked) == [("not_found", "ambiguous")])
        # It turns up after all, as when a share was away: then it is delivered, and what waited goes.
        [(body,)] = rows(database_url, "SELECT body FROM bus.message ORDER BY id LIMIT 1")
        (tmp_path / "P1-1.hl7").write_bytes(body)
        await until(lambda: states(database_url, "way") == ["delivered"] * 2)
    [(message,)] = rows(database_url, "SELECT min(message_id) FROM bus.delivery")
    assert steps(database_url, message) == [
        "delivery_queued", "delivery_ambiguous", "delivery_ambiguous", "delivered"
    ]  # fmt: skip


async def test_a_row_of_an_earlier_version_is_not_the_one_that_was_sent(database_url: str) -> None:
    spec, way = table(database_url, AGAIN)
    rows(database_url, "INSERT INTO arrived VALUES ('P1-1', 'ANOTHER', 1) RETURNING 1")
    deaf = Deaf(way, written=False)
    enqueue(database_url, "way", *messages(1))
    async with delivering(database_url, spec, deaf):
        await until(lambda: states(database_url, "way") == ["delivered"])
    assert rows(database_url, "SELECT patient, done FROM arrived") == [("M1", 0)]


@pytest.fixture
def portal() -> Iterator[Server]:
    server = Server(plain)
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("said", "code", "sent"),
    [
        ((200, "text/plain", b"it is here"), "verified", 1),
        ((200, "application/fhir+json", b'{"resourceType": "Bundle", "total": 1}'), "verified", 1),
        ((200, "application/fhir+json", b'{"resourceType": "Bundle", "total": 0}'), "200", 2),
        ((404, "text/plain", b""), "200", 2),
    ],
)
async def test_a_receiver_over_http_is_asked_by_the_key_or_a_number(
    database_url: str, portal: Server, said: tuple[int, str, bytes], code: str, sent: int
) -> None:
    origin = portal.start()
    verify = {**AGAIN, "address": f"{origin}/in/{{MSH-10}}?key={{idempotency_key}}"}
    spec = RestDestination(**COMMON, kind="rest", address=f"{origin}/in", verify=verify)
    portal.says = lambda how: said if how is How.LATER else plain(how)
    [id_] = enqueue(database_url, "way", *messages(1))
    portal.first = [How.SILENT]
    portal.asked = How.LATER
    async with delivering(database_url, spec, RestTransport(spec, {})):
        await until(lambda: states(database_url, "way") == ["delivered"])
    assert [r.method for r in portal.requests].count("POST") == sent
    [asked] = {request.path for request in portal.requests if request.method == "GET"}
    assert asked == f"/in/P1-1?key=delivery-{id_}"
    assert rows(database_url, "SELECT code FROM bus.delivery") == [(code,)]


async def test_a_page_of_somebody_between_says_nothing(database_url: str, portal: Server) -> None:
    origin = portal.start()
    verify = {**AGAIN, "address": f"{origin}/in/{{MSH-10}}"}
    spec = RestDestination(**COMMON, kind="rest", address=f"{origin}/in", verify=verify)
    portal.says = lambda _how: (200, "text/html", b"<html>sign in</html>")
    enqueue(database_url, "way", *messages(1))
    portal.how = How.SILENT
    portal.asked = How.TAKES
    async with delivering(database_url, spec, RestTransport(spec, {})):
        await until(lambda: len([r for r in portal.requests if r.method == "GET"]) > 1)
        assert states(database_url, "way") == ["ambiguous"]


def test_a_file_that_asks_and_sends_again_blindly_is_a_mistake(tmp_path: Path) -> None:
    def rest(**more: Any) -> AnyDestination:
        return RestDestination(**COMMON, kind="rest", address="https://a.example/in", **more)

    asked = {"address": "https://a.example/in/{MSH-10}"}
    assert files(tmp_path, SOON)[0].resend_ambiguous is False
    with pytest.raises(ValueError, match="take out resend_ambiguous"):
        rest(verify=asked, resend_ambiguous=True)
    with pytest.raises(ValueError, match="another host"):
        rest(verify={"address": "https://b.example/in/{MSH-10}"})
    with pytest.raises(ValueError, match="take out resend_ambiguous"):
        FilesDestination(
            **COMMON, kind="files", place="o", file="{control_id}", verify={}, resend_ambiguous=True
        )
