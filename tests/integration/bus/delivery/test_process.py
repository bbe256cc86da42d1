"""The delivery process itself: killed while a message is on the wire, restarted, given other files."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.integration.bus.clinic import rows
from tests.integration.bus.delivery.process import SECRET, delivery, destinations
from tests.integration.bus.delivery.queue import enqueue, messages, states, until
from tests.integration.bus.delivery.receivers import MllpReceiver, http_receiver, silent, takes
from tests.integration.bus.delivery.rulebook import HOOK, WARD


async def test_killed_while_in_flight_it_leaves_ambiguous_ones_and_sends_none_twice(
    database_url: str, tmp_path: Path
) -> None:
    async with MllpReceiver(silent) as ward:
        rules = destinations(tmp_path, ward=WARD.format(port=ward.port) + "connections: 2\n")
        enqueue(database_url, "ward", *messages(8, patients=4))
        async with delivery(database_url, rules, tmp_path, **SECRET) as process:
            await until(lambda: len(ward.got) == 2, 60)
            assert states(database_url).count("in_flight") == 2
            assert states(database_url).count("claimed") == 2  # of the others, the heads
            process.send_signal(signal.SIGKILL)
            await process.wait()
        assert states(database_url).count("in_flight") == 2
        ward.behaviour = takes
        async with delivery(database_url, rules, tmp_path, **SECRET):
            await until(lambda: states(database_url).count("delivered") == 4, 60)
            await until(lambda: states(database_url).count("ambiguous") == 2)
        assert sorted(ward.got) == ["P1-1", "P2-1", "P3-1", "P3-2", "P4-1", "P4-2"]
    found = rows(
        database_url,
        "SELECT DISTINCT state, code, attempts FROM bus.delivery WHERE state <> 'delivered' ORDER BY 1",
    )
    assert found == [("ambiguous", "interrupted", 1), ("queued", None, 0)]
    told = rows(database_url, "SELECT count(*) FROM bus.trace WHERE step = 'delivery_ambiguous'")
    assert told == [(2,)]


async def test_killed_while_in_flight_to_an_idempotent_receiver_it_sends_again(
    database_url: str, tmp_path: Path
) -> None:
    async with MllpReceiver(silent) as ward:
        rules = destinations(tmp_path, ward=WARD.format(port=ward.port) + "resend_ambiguous: true\n")
        enqueue(database_url, "ward", *messages(2))
        async with delivery(database_url, rules, tmp_path, **SECRET) as process:
            await until(lambda: len(ward.got) == 1, 60)
            process.send_signal(signal.SIGKILL)
            await process.wait()
        ward.behaviour = takes
        async with delivery(database_url, rules, tmp_path, **SECRET):
            await until(lambda: states(database_url) == ["delivered", "delivered"], 60)
        assert ward.got == ["P1-1", "P1-1", "P1-2"]


async def test_files_are_taken_in_while_it_runs_and_a_mistake_stops_nobody(
    database_url: str, tmp_path: Path
) -> None:
    def beat() -> dict[str, dict[str, object]]:
        found = rows(database_url, "SELECT detail FROM bus.heartbeat WHERE name = 'delivery'")
        return found[0][0] if found else {}

    with http_receiver() as hook:
        port = int(hook.url.split(":")[2].split("/")[0])
        async with MllpReceiver() as ward, delivery(database_url, destinations(tmp_path), tmp_path, **SECRET):
            enqueue(database_url, "ward", *messages(1))
            enqueue(database_url, "hook", *messages(1, start=2))
            await until(lambda: rows(database_url, "SELECT 1 FROM bus.heartbeat"), 60)
            assert beat() == {}
            destinations(tmp_path, ward=WARD.format(port=ward.port), broken="name: broken\n")
            await until(lambda: states(database_url) == ["delivered"], 30)
            destinations(tmp_path, hook=HOOK.format(port=port), other=HOOK.format(port=port))
            await until(lambda: states(database_url, "hook") == ["delivered"], 30)
            await until(lambda: len(beat()) == 4, 30)
            assert beat()["ward"]["breaker"] == "closed"
            assert "one of mllp, webhook" in str(beat()["broken"]["problem"])
            assert "is named hook.yaml" in str(beat()["other"]["problem"])
            destinations(tmp_path, hook=HOOK.format(port=port).replace("secret: hook", "secret: unknown"))
            await until(lambda: "YILIAN_DELIVERY_SECRETS__UNKNOWN" in str(beat()["hook"].get("problem")), 30)
    log = (tmp_path / "delivery.log").read_text()
    assert "a shared secret" not in log
    assert "王" not in log
