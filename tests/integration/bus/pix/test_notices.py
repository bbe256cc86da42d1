"""ITI-10 and ITI-64: who is told of changed links, what, and how often (checklist line 11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

import pytest
from lxml import etree

from adapters.ihe.outbound import PixV3Transport
from bus.hl7.message import Message, parse
from bus.pix.notices.notifier import Notifier
from bus.rules.destinations import MllpDestination, PixNotices, PixV3Destination
from tests.contract.outbound.http_receiver import Server
from tests.contract.outbound.pixv3_harness import pixv3
from tests.contract.outbound.pixv3_harness import says as pixv3_says
from tests.integration.bus.clinic import engine_of
from tests.integration.bus.delivery.queue import delivering, mllp, until
from tests.integration.bus.delivery.receivers import MllpReceiver
from tests.integration.bus.pix.conftest import CARD, CONSORTIUM, Desk, cx, linked, person_of, take_back

AT = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)


def subscriber(
    *domains: str, name: str = "ward", port: int = 1, links: bool = True, registry: bool = False
) -> MllpDestination:
    """Return a destination that is told of those domains."""
    told = PixNotices(domains=domains, links=links, document_registry=registry)
    return mllp(port, name, pix=told, hl7={"receiving_application": "HIS", "receiving_facility": "HP"})


@dataclass
class Board:
    """Runs the notifier until nothing is left, and reads what it queued."""

    desk: Desk
    notifier: Notifier
    seen: int = 0

    def news(self, *destinations: MllpDestination) -> list[tuple[str, Message]]:
        """Return destination and message of each new notice, in order."""
        for _ in range(3):  # note, read, note that nothing is new
            self.notifier.step(destinations)
        rows = self.desk.rows(
            "SELECT d.id, d.destination, m.body FROM bus.delivery d JOIN bus.message m ON m.id = d.message_id"
            " WHERE d.id > %s ORDER BY d.id",
            self.seen,
        )
        self.seen = max([self.seen, *(int(str(row[0])) for row in rows)])
        return [(str(name), parse(bytes(body))) for _, name, body in rows]  # type: ignore[call-overload] # bytea


@pytest.fixture
def board(desk: Desk) -> Board:
    numbers = count(1)
    notifier = Notifier(desk.settings, desk.engine, lambda: AT, lambda: f"N{next(numbers)}")
    board = Board(desk, notifier)
    assert board.news() == []  # the cursor stands
    return board


def parted(desk: Desk) -> None:
    """Say of H1 that it is somebody else."""
    other = {"name": "李^红", "birth": "19700202", "sex": "F", "card": "440106197002021225"}
    desk.feed("H1", "HP", event="A08", **other)


def told(found: Sequence[tuple[str, Message]]) -> list[tuple[str, list[str]]]:
    """Return destination and PID-3 of each notice."""
    result = []
    for name, message in found:
        pid = message.segment("PID")
        assert pid is not None
        result.append((name, pid.raw(3).split("~")))
    return result


class TestLine11Notified:
    def test_a31_to_who_subscribed_to_the_domains(self, board: Board) -> None:
        linked(board.desk)
        both, other = subscriber("MAIN", "HP"), subscriber("HY", name="lab")
        [(name, message)] = board.news(both, other)
        assert name == "ward"
        assert (message.get("MSH-9"), message.get("MSH-5"), message.get("MSH-6")) == (
            "ADT^A31^ADT_A05",
            "HIS",
            "HP",
        )
        assert told([(name, message)]) == [("ward", [cx("H1", "HP"), cx("M1")])]
        assert (message.get("PID-5"), message.get("PV1-2")) == (" ", "N")
        assert message.get("EVN-2") == "20261125090000+0800"

    def test_nothing_is_told_twice(self, board: Board) -> None:
        linked(board.desk)
        to = subscriber("MAIN", "HP")
        assert len(board.news(to)) == 1
        board.desk.feed("M1", event="A08", card=CARD, name="王^珅瑶")
        board.desk.feed("H1", "HP", event="A08", card=CARD)
        assert board.news(to) == []

    def test_a_number_that_stands_alone_is_no_news(self, board: Board) -> None:
        board.desk.feed("M1")
        assert board.news(subscriber("MAIN", "HP")) == []

    def test_with_the_consortium_s_id_a_registration_is_news(self, board: Board) -> None:
        board.desk.feed("M1")
        person = f"{person_of(board.desk, 'M1')}^^^{CONSORTIUM}^PI"
        assert told(board.news(subscriber("MAIN", "CONSORTIUM"))) == [("ward", [cx("M1"), person])]

    def test_a_change_outside_the_domains_is_no_news(self, board: Board) -> None:
        linked(board.desk)
        to = subscriber("MAIN", "HP")
        board.news(to)
        board.desk.feed("Y1", "HY", card=CARD)
        assert board.news(to) == []

    def test_both_sides_of_a_parting_are_told(self, board: Board) -> None:
        linked(board.desk)
        to = subscriber("MAIN", "HP")
        board.news(to)
        parted(board.desk)
        assert sorted(told(board.news(to))) == [("ward", [cx("H1", "HP")]), ("ward", [cx("M1")])]

    def test_a_parting_of_what_was_linked_before_anybody_subscribed(self, board: Board) -> None:
        linked(board.desk)
        board.news()
        to = subscriber("MAIN", "HP")
        parted(board.desk)
        assert sorted(told(board.news(to))) == [("ward", [cx("H1", "HP")]), ("ward", [cx("M1")])]

    def test_a_retired_number_leaves_the_list_though_no_link_moved(self, board: Board) -> None:
        linked(board.desk)
        board.desk.feed("M9", card=CARD)
        to = subscriber("MAIN", "HP")
        assert told(board.news(to)) == [("ward", [cx("H1", "HP"), cx("M1"), cx("M9")])]
        board.desk.merge("M1", "M9")
        assert told(board.news(to)) == [("ward", [cx("H1", "HP"), cx("M1")])]

    def test_a_number_that_was_taken_back_leaves_the_list_and_comes_back(self, board: Board) -> None:
        linked(board.desk)
        to = subscriber("MAIN", "HP")
        assert told(board.news(to)) == [("ward", [cx("H1", "HP"), cx("M1")])]
        take_back(board.desk, "H1", "HP")
        assert told(board.news(to)) == [("ward", [cx("M1")])]
        take_back(board.desk, "H1", "HP")
        assert board.news(to) == []
        board.desk.feed("H1", "HP", event="A08", card=CARD)
        assert told(board.news(to)) == [("ward", [cx("H1", "HP"), cx("M1")])]
        board.desk.feed("H1", "HP", event="A08", card=CARD)
        assert board.desk.rows("SELECT count(*) FROM identity.retirement") == [(3,)]
        assert board.news(to) == []

    def test_what_commits_late_is_not_passed_over(self, board: Board) -> None:
        to = subscriber("MAIN", "HP", "CONSORTIUM")
        late = engine_of(board.desk.url)
        with late.connect() as slow, slow.begin():
            slow.exec_driver_sql("CREATE TABLE public.slow (x int)")  # it has begun to write
            board.desk.feed("M1")
            assert board.news(to) == []
        assert len(board.news(to)) == 1

    async def test_it_is_delivered_in_the_journey_of_a_message_of_ours(self, board: Board) -> None:
        async with MllpReceiver() as his:
            to = subscriber("MAIN", "HP", port=his.port)
            linked(board.desk)
            board.news(to)
            async with delivering(board.desk.url, to):
                await until(lambda: his.got)
                state = "SELECT state FROM bus.delivery"
                await until(lambda: board.desk.rows(state) == [("delivered",)])
        assert his.got == ["N1"]
        [(facility, sender, endpoint, kind)] = board.desk.rows(
            "SELECT i.facility, i.sender, i.endpoint, t.detail->>'kind' FROM bus.inbox i"
            " JOIN bus.trace t ON t.message_id = i.id AND t.step = 'recorded' WHERE i.control_id = 'N1'"
        )
        assert (facility, sender, endpoint, kind) == ("GROUP", "YILIAN", "pix-notices", "ITI-10 A31")
        assert board.desk.rows("SELECT count(*) FROM bus.work") == [(0,)]


class TestVersion3:
    """ITI-46, the notice in HL7 v3."""

    async def test_a_consumer_is_told_every_number_and_no_name(self, board: Board) -> None:
        server = Server(pixv3_says)
        spec, transport = pixv3(server.start())
        await transport.close()
        to = spec.model_copy(update={"pix": PixNotices(domains=("MAIN", "HP"))})
        assert isinstance(to, PixV3Destination)
        linked(board.desk)
        for _ in range(3):
            board.notifier.step([to])
        try:
            async with delivering(board.desk.url, to, PixV3Transport(to, {})):
                await until(lambda: board.desk.rows("SELECT state FROM bus.delivery") == [("delivered",)])
        finally:
            server.stop()
        [got] = server.requests
        assert got.headers["content-type"].startswith("application/soap+xml")
        envelope = etree.fromstring(got.body)
        assert envelope.findtext(".//{*}Action") == "urn:hl7-org:v3:PRPA_IN201302UV02"
        [notice] = envelope.iter("{urn:hl7-org:v3}PRPA_IN201302UV02")
        assert [one.get("code") for one in notice.iterfind("{*}acceptAckCode")] == ["AL"]
        assert [one.get("root") for one in notice.iterfind("{*}receiver/{*}device/{*}id")] == ["1.2.3"]
        [patient] = notice.iter("{*}patient")
        ids = {(one.get("root"), one.get("extension")) for one in patient.iterfind("{*}id")}
        assert ids == {("1.2.156.10011.99.1", "M1"), ("1.2.156.10011.99.2", "H1")}
        assert [one.get("nullFlavor") for one in patient.iterfind("{*}patientPerson/{*}name")] == ["NA"]
        assert board.desk.rows(
            "SELECT i.control_id, i.message_type, t.detail->>'kind' FROM bus.inbox i"
            " JOIN bus.trace t ON t.message_id = i.id AND t.step = 'recorded' WHERE i.control_id = 'N1'"
        ) == [("N1", "hl7v3:PRPA_IN201302UV02", "ITI-46 PRPA_IN201302UV02")]


class TestDocumentRegistry:
    """ITI-64, XAD-PID change management."""

    def test_a43_when_a_number_moves_to_another_person(self, board: Board) -> None:
        board.desk.feed("M1", card=CARD)
        parted(board.desk)
        to = subscriber("MAIN", "HP", links=False, registry=True)
        assert board.news(to) == []
        before = person_of(board.desk, "H1", "HP")
        board.desk.feed("H1", "HP", event="A08", card=CARD)
        after = person_of(board.desk, "H1", "HP")
        assert before != after
        [(_, message)] = board.news(to)
        assert message.get("MSH-9") == "ADT^A43^ADT_A43"
        assert told([("", message)]) == [("", [f"{after}^^^{CONSORTIUM}^PI", cx("H1", "HP")])]
        [mrg] = message.segments("MRG")
        assert mrg.raw(1) == f"{before}^^^{CONSORTIUM}^PI"

    def test_a_merged_number_is_named_beside_the_id_before(self, board: Board) -> None:
        board.desk.feed("M1")
        board.desk.feed("M9", name="李^红", birth="19700202", sex="F")
        to = subscriber("MAIN", links=False, registry=True)
        board.news(to)
        before = person_of(board.desk, "M9")
        board.desk.merge("M1", "M9")
        [(_, message)] = board.news(to)
        person = person_of(board.desk, "M1")
        assert told([("", message)]) == [("", [f"{person}^^^{CONSORTIUM}^PI", cx("M1")])]
        [mrg] = message.segments("MRG")
        assert mrg.raw(1) == f"{before}^^^{CONSORTIUM}^PI~{cx('M9')}"


class TestLine41NoticesAreAudited:
    def test_whose_identifiers_went_to_whom(self, board: Board) -> None:
        desk = board.desk
        linked(desk)
        ward, v3 = subscriber("MAIN", "HP"), pixv3("http://127.0.0.1:1")[0]
        registry = subscriber("MAIN", "HP", name="registry", links=False, registry=True)
        assert isinstance(v3, PixV3Destination)
        v3 = v3.model_copy(update={"pix": PixNotices(domains=("MAIN", "HP"))})
        for _ in range(3):
            board.notifier.step([ward, v3, registry])
        rows = desk.rows(
            "SELECT a.action, a.organisation, a.outcome, a.resource, a.persons::text[], a.reason"
            " FROM access.audit a WHERE a.username = 'pix-notices' ORDER BY a.id"
        )
        told = {(row[0], row[3]) for row in rows}
        assert told >= {("ITI-10", "ADT^A31"), ("ITI-46", "hl7v3:PRPA_IN201302UV02")}
        assert {(row[1], row[2]) for row in rows} == {("GROUP", "allowed")}
        assert all(person_of(desk, "M1") in row[4] for row in rows)  # type: ignore[operator] # text[]
        messages = {
            f"told destination {name}, message {number}"
            for name, number in desk.rows("SELECT destination, message_id FROM bus.delivery")
        }
        assert {row[5] for row in rows} == messages
        assert len(messages) == len(rows)

    def test_what_told_nobody_leaves_no_row(self, board: Board) -> None:
        linked(board.desk)
        assert board.news(subscriber("HY")) == []
        assert board.desk.rows("SELECT 1 FROM access.audit WHERE username = 'pix-notices'") == []
