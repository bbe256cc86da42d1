"""A manager on a fresh database, and messages for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from bus.hl7.message import Message, parse
from bus.pix.manager import Manager
from consortium.identity import crossing
from runtime.settings import Settings
from tests.conftest import database
from tests.integration.bus.clinic import KEY, engine_of, rows

OIDS = {"MAIN": "1.2.156.10011.99.1", "HP": "1.2.156.10011.99.2", "HY": "1.2.156.10011.99.3"}
CONSORTIUM = "CONSORTIUM&1.2.156.10011.99.0&ISO"
CARD = "440106198001011230"


def cx(number: str, facility: str = "MAIN") -> str:
    """Return an identifier with its whole authority."""
    return f"{number}^^^{facility}&{OIDS[facility]}&ISO^PI"


class Desk:
    """Sends messages to a manager as a HIS does."""

    def __init__(self, url: str, **told: object) -> None:
        self.url = url
        self.engine = engine_of(url)
        self.settings = Settings.model_validate({"database_url": url, "routing_key": KEY, **told})
        self.manager = Manager(self.settings, self.engine)
        self.sent = 0

    def say(
        self, kind: str, *segments: str, facility: str = "MAIN", control_id: str = "", **msh: str
    ) -> Message:
        """Send a message; returns its answer."""
        self.sent += 1
        version, charset = msh.get("version", "2.5"), msh.get("charset", "UNICODE UTF-8")
        head = (
            f"MSH|^~\\&|{msh.get('sender', 'HIS')}|{facility}|PIX|GROUP|20261125090000||{kind}"
            f"|{control_id or f'C{self.sent}'}|P|{version}||||||{charset}"
        )
        raw = "\r".join((head, *segments, "")).encode(msh.get("codec", "utf-8"))
        return parse(self.manager.answer(raw).body)

    def feed(
        self,
        number: str,
        facility: str = "MAIN",
        *,
        event: str = "A04",
        name: str = "王^珅",
        birth: str = "19800101",
        sex: str = "M",
        card: str = "",
        more: str = "",
        **msh: str,
    ) -> Message:
        """Feed a patient; `number` may be a whole PID-3."""
        pid3 = number if "^" in number else cx(number, facility)
        pid3 += f"~{card}^^^&2.16.156.10011.1.3&ISO^NI" if card else ""
        return self.say(
            f"ADT^{event}", "EVN||20261125090000", f"PID|||{pid3}||{name}||{birth}|{sex}{more}", "PV1||O",
            facility=facility, **msh,
        )  # fmt: skip

    def merge(self, survivor: str, retired: str, event: str = "A40", **msh: str) -> Message:
        """Retire a number of MAIN for another."""
        return self.say(
            f"ADT^{event}", "EVN||20261125090000", f"PID|||{cx(survivor)}||王^珅", f"MRG|{cx(retired)}", **msh
        )

    def cross(self, asked: str, targets: str = "", **msh: str) -> Message:
        """Ask for somebody's other identifiers."""
        return self.say("QBP^Q23^QBP_Q21", f"QPD|IHE PIX Query|T1|{asked}|{targets}", "RCP|I", **msh)

    def find(
        self, criteria: str, domains: str = "", *, quantity: str = "", pointer: str = "", **msh: str
    ) -> Message:
        """Ask who somebody is."""
        segments = [f"QPD|IHE PDQ Query|T1|{criteria}|||||{domains}", f"RCP|I|{quantity}"]
        return self.say("QBP^Q22^QBP_Q21", *segments, *([f"DSC|{pointer}|I"] if pointer else []), **msh)

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Ask the database."""
        return rows(self.url, query, *values)

    def audited(self) -> list[tuple[object, ...]]:
        """Return transaction and outcome of every row of the audit."""
        return self.rows("SELECT action, outcome FROM access.audit ORDER BY id")


def codes(answer: Message) -> tuple[str | None, str | None]:
    """Return MSA-1 and QAK-2."""
    return answer.get("MSA-1"), answer.get("QAK-2")


def errors(answer: Message) -> list[tuple[str | None, str | None]]:
    """Return place and condition of every ERR."""
    return [(err.get("2"), err.get("3.1")) for err in answer.segments("ERR")]


def identifiers(answer: Message, occurrence: int = 1) -> list[str]:
    """Return PID-3 of the nth person, by repetition; [] without that person."""
    pids = answer.segments("PID")
    return pids[occurrence - 1].raw(3).split("~") if len(pids) >= occurrence else []


@pytest.fixture(scope="module")
def quiet_url(postgres_url: str, template_database: str) -> Iterator[str]:
    """URL of a database that the module's tests share, because they change nothing in it."""
    with database(postgres_url, template_database) as url:
        yield url


@pytest.fixture(scope="module")
def ward(quiet_url: str) -> Iterator[Desk]:
    """Some patients of MAIN, for questions and for what is refused."""
    desk = Desk(quiet_url)
    register_ward(desk)
    yield desk
    desk.engine.dispose()


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    """A manager with the sample consortium's settings."""
    desk = Desk(database_url)
    yield desk
    desk.engine.dispose()


def register_ward(desk: Desk) -> None:
    """Register M1 to M4 at MAIN."""
    desk.feed("M1", name="王^珅", card=CARD, more="|||天河路1号^^广州市^广东省||13800000000")
    desk.feed("M2", name="王^珅瑶", birth="19900303", sex="F")
    desk.feed("M3", name="欧阳^倩", birth="19900615", sex="F", more="|||中山大道9号^^广州市^广东省")
    desk.feed("M4", name="SMITH^JOHN", birth="19800202")


def linked(desk: Desk) -> None:
    """Register one person at MAIN as M1 and at Huangpu as H1."""
    assert desk.feed("M1", card=CARD).get("MSA-1") == "AA"
    assert desk.feed("H1", "HP", card=CARD).get("MSA-1") == "AA"


def person_of(desk: Desk, number: str, facility: str = "MAIN") -> str:
    """Return the consortium's id of a patient."""
    [(found,)] = desk.rows(
        "SELECT l.person_id::text FROM identity.source_patient s JOIN identity.link l"
        " ON l.source_patient_id = s.id WHERE s.facility = %s AND s.number = %s",
        facility,
        number,
    )
    return str(found)


def take_back(desk: Desk, number: str, facility: str = "MAIN") -> None:
    """Take a number out of use, as its campus does over FHIR (ITI-104): after all that was said of it."""
    with desk.engine.begin() as connection:
        last = connection.exec_driver_sql("SELECT max(id) FROM bus.inbox").scalar_one()
        assert crossing.remove(connection, facility, number, last, datetime(2026, 11, 25, 1, 0, tzinfo=UTC))
