"""The identity endpoint of a running consortium answers for the people of the sample day."""

from __future__ import annotations

import asyncio

from adapters.mllp.client import Client
from bus.hl7.message import parse
from simulators.people import DEMO
from tests.e2e.consortium import Consortium


def test_an_id_card_leads_to_the_numbers_of_three_campuses(consortium: Consortium) -> None:
    host, _, port = consortium.status()["endpoints"]["pix"].rpartition(":")
    question = (
        "MSH|^~\\&|HIS|MAIN|PIX|GROUP|20261125090000||QBP^Q23^QBP_Q21|E2E1|P|2.5\r"
        f"QPD|IHE PIX Query|T1|{DEMO.id_card}^^^&2.16.156.10011.1.3&ISO|^^^MAIN~^^^HP~^^^HY\rRCP|I\r"
    )

    async def ask() -> bytes:
        async with Client(host, int(port)) as client:
            return (await client.send(question.encode())).raw

    answer = parse(asyncio.run(ask()))
    assert (answer.get("MSA-1"), answer.get("QAK-2")) == ("AA", "OK")
    pid = answer.segment("PID")
    assert pid is not None
    assert {pid.get(f"3({n}).4.1") for n in (1, 2, 3)} == {"MAIN", "HP", "HY"}
