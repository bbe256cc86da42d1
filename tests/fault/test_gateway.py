"""SIGKILL of the gateway while it takes messages, and of the hub while it is forwarded to."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from adapters.gateway.standing import Standing, standing
from runtime import process
from runtime.process import Command
from runtime.waiting import until
from tests.conftest import CHECKOUT
from tests.fault.sender import Sender
from tests.fault.servers import Member, settings
from tests.fault.traffic import Traffic, traffic
from tests.gateways import NAME, SUBJECT, Place

MESSAGES = 2400
SECONDS = 90.0


def listens(number: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", number), timeout=1).close()
    except OSError:
        return False
    return True


def toml(place: Place) -> Path:
    """Write the gateway's settings."""
    path = place.folder / "gateway.toml"
    path.write_text(
        f"""name = "{NAME}"
[hub]
url = "https://127.0.0.1:{place.hub_port}"
ca = "{place.authority.certificate}"
certificate = "{place.certificate.certificate}"
key = "{place.certificate.key}"
[campuses]
MAIN = "UNICODE UTF-8"
[spool]
folder = "{place.folder / "spool"}"
[line]
first_wait = 0.1
longest_wait = 0.5
batch_messages = 20
[[mllp]]
name = "mllp-front"
port = {place.mllp_port}
""",
        encoding="utf-8",
    )
    return path


def hub_settings(place: Place) -> dict[str, str]:
    """Return the environment that gives the hub its settings."""
    endpoint = {
        "port": place.hub_port,
        "certificate": str(place.hub_certificate.certificate),
        "key": str(place.hub_certificate.key),
        "client_ca": str(place.authority.certificate),
    }
    return settings(
        place.folder,
        {
            "database_url": place.database_url,
            "routing_key": "a" * 64,
            "gateway_endpoint": json.dumps(endpoint),
            "gateways": json.dumps([{"name": NAME, "subject": SUBJECT, "campuses": ["MAIN"]}]),
        },
    )


@dataclass
class Line:
    """A hub and a gateway as processes, and a hospital in front."""

    place: Place
    agent: Member
    hub: Member
    sender: Sender
    traffic: Traffic

    def standing(self) -> Standing:
        """Return how the gateway stands, as `status` reads it."""
        return standing(self.place.folder / "spool")

    def strike(self, member: Member, burst: int) -> None:
        """Let a burst go, kill a part with messages in flight in it, and start it again."""
        self.sender.release(burst)
        for _ in range(200):
            assert until(lambda: self._in_flight(member) > 0, 30.0, interval=0.0), "nothing was in flight"
            member.freeze()
            if caught := self._in_flight(member):
                member.in_flight.append(caught)
                break
            member.thaw()
            self.sender.release(10)
        else:
            pytest.fail("nothing stayed in flight")
        member.kill()
        member.start()

    def _in_flight(self, member: Member) -> int:
        return len(self.sender.outstanding) if member is self.agent else self.standing().spooled

    def rows(self, query: str) -> list[tuple[str, ...]]:
        """Ask the hub's database."""
        with psycopg.connect(self.place.database_url) as connection:
            return connection.execute(query.encode()).fetchall()


@pytest.fixture
def line(tmp_path: Path, database_url: str) -> Iterator[Line]:
    """Both run."""
    place = Place(tmp_path, database_url, campuses=("MAIN",))
    run = process.python("adapters.gateway", "run", "--config", str(toml(place)))
    plain = settings(tmp_path, {})
    agent = Member(
        "agent",
        lambda: Command(run, plain, cwd=CHECKOUT),
        lambda: listens(place.mllp_port),
        tmp_path / "agent.log",
    )
    hub = Member(
        "hub",
        lambda: Command(process.python("adapters.gateway.hub"), hub_settings(place), cwd=CHECKOUT),
        lambda: listens(place.hub_port),
        tmp_path / "hub.log",
    )
    sent = traffic(MESSAGES, connections=8)
    with ExitStack() as stack:
        for member in (hub, agent):
            stack.callback(member.stop)
            member.start()
        sender = stack.enter_context(Sender(place.mllp_port, sent, seed=20261124))
        yield Line(place, agent, hub, sender, sent)


@pytest.mark.timeout(280)
def test_nothing_acknowledged_is_lost_nothing_is_twice_and_order_holds(line: Line) -> None:
    burst = MESSAGES // 8
    for member in (line.agent, line.hub, line.agent, line.hub):
        line.strike(member, burst)
    line.sender.release(burst)
    line.hub.kill()
    line.agent.kill()
    line.agent.start()
    line.sender.release_all()
    assert until(lambda: line.sender.settled, SECONDS), "not everything was acknowledged"
    assert line.standing().spooled > 0, "the gateway takes messages while the hub is dead"
    line.hub.start()
    assert until(lambda: line.standing().spooled == 0, SECONDS), line.standing()

    expected = line.traffic.phones()
    steps = {message.control_id: message for message in line.traffic.messages}
    arrived: dict[str, list[str]] = {}
    rows = line.rows("SELECT control_id, endpoint FROM bus.inbox ORDER BY id")
    for control_id, endpoint in rows:
        assert endpoint == f"{NAME}/mllp-front"
        arrived.setdefault(steps[control_id].number, []).append(steps[control_id].phone)
    assert line.sender.acknowledged == set(steps)
    assert arrived == expected
    assert line.rows("SELECT count(*)::text FROM bus.held") == [("0",)]
    assert len(line.agent.in_flight) == len(line.hub.in_flight) == 2
    assert line.sender.counts["ack_lost"] > 0, "lost acknowledgements are part of the traffic"
