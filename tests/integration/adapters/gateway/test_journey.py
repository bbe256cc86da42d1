"""What a campus sends to its gateway is in the hub's inbox as if it had come there."""

from __future__ import annotations

from tests.gateways import Place
from tests.integration.adapters.gateway.conftest import Rows, adt, send, until


async def test_a_message_arrives_with_its_bytes_campus_way_and_time(place: Place, rows: Rows) -> None:
    raw = adt("C1", facility="NS", charset="GB 18030-2000")
    async with place.running() as (_, agent):
        assert await send(place.mllp_port, raw) == ["AA"]
        await until(lambda: agent.level.count == 0)
    [row] = rows(
        "SELECT body, charset, facility, sender, control_id, message_type, protocol, endpoint, patient_number"
        " FROM bus.message"
    )
    told = ("gb18030", "NS", "HIS", "C1", "ADT^A08", "mllp", "ns-front/mllp-front", "PC1")
    assert (bytes(row[0]), *row[1:]) == (raw, *told)
    [(step, detail)] = rows("SELECT step, detail FROM bus.trace")
    assert (step, detail["gateway"], detail["number"]) == ("gateway", "ns-front", 1)
    assert rows(
        "SELECT (detail->>'taken_at')::timestamptz BETWEEN now() - interval '1 minute' AND now()"
        " FROM bus.trace"
    ) == [(True,)]
    assert rows("SELECT count(*) FROM bus.work") == [(1,)]
