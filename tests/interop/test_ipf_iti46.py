"""IPF's Patient Identifier Cross-reference Consumer takes our notices of HL7 v3 (ITI-46)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from lxml import etree

from bus.delivery.transport import Outgoing, SentForm, Verdict
from bus.rules.destinations import PixV3Destination
from bus.rules.spec import Form
from runtime import ports
from tests.contract.outbound.pixv3_harness import Noticing, pixv3
from tests.interop.peers import Peers, build

pytestmark = pytest.mark.timeout(600)  # the first one builds


@pytest.fixture(scope="module")
def peers() -> Peers:
    """IPF."""
    return Peers(build("hl7v3"), "yilian.peers.hl7v3")


def notice(number: str) -> Outgoing:
    """A message that the harness makes a notice of, whose patient's number is its control id."""
    body = f"MSH|^~\\&|HIS|HP|PIX|GROUP|20261125090000||ADT^A08|{number}|P|2.5\r".encode()
    return Outgoing(1, 1, 1, "ADT^A08", "utf-8", Form.RAW, body, datetime.now(UTC))


async def on_wire(sent: SentForm) -> None:
    assert sent.body


async def test_ipf_takes_a_notice_and_its_refusal_is_understood(peers: Peers) -> None:
    async with peers.listening("IpfConsumer", ports.any_free(), "HP-NO") as consumer:
        spec, first = pixv3(f"http://127.0.0.1:{consumer.port}")
        await first.close()
        assert isinstance(spec, PixV3Destination)
        transport = Noticing(spec.model_copy(update={"timeout_seconds": 60.0}))  # the first loads schemas
        try:
            taken = await transport.send(notice("HP-7"), on_wire)
            refused = await transport.send(notice("HP-NO"), on_wire)
        finally:
            await transport.close()
        said = await consumer.lines(2)
    assert [(one.verdict, one.code) for one in (taken, refused)] == [
        (Verdict.TAKEN, "CA"),
        (Verdict.NEVER, "CE"),
    ]
    assert [line[0] for line in said] == ["valid", "valid"]
    told = etree.fromstring(said[0][1].encode())
    assert etree.QName(told).localname == "PRPA_IN201302UV02"
    [patient] = told.iter("{urn:hl7-org:v3}patient")
    assert [(one.get("root"), one.get("extension")) for one in patient.iterfind("{*}id")] == [
        ("1.2.156.10011.99.2", "HP-7")
    ]
