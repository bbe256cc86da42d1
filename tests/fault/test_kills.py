"""Kills while messages are in flight: nothing lost, nothing twice, everything in order."""

from __future__ import annotations

import logging
import os
import random
from pathlib import Path

import pytest

from tests.fault.rig import rig
from tests.fault.servers import Servers
from tests.fault.traffic import traffic

log = logging.getLogger("fault")

MESSAGES = int(os.environ.get("YILIAN_FAULT_MESSAGES", "1500"))
ROUNDS = 5 if MESSAGES >= 10_000 else 1
SEED = int(os.environ.get("YILIAN_FAULT_SEED", "20261123"))
PARTS = ("adapter", "relay", "router", "broker", "postgres")


def rounds(seed: int) -> list[str]:
    """Return which part is killed when: each as often, in a seeded order."""
    order = random.Random(seed)
    return [part for _ in range(ROUNDS) for part in order.sample(PARTS, len(PARTS))]


@pytest.mark.timeout(280 if ROUNDS == 1 else 1500)
def test_nothing_acknowledged_is_lost_nothing_happens_twice_and_order_holds(
    killable: Servers, tmp_path: Path
) -> None:
    sent = traffic(MESSAGES)
    strikes = rounds(SEED)
    burst = len(sent.messages) // (len(strikes) + 2)
    with rig(killable, tmp_path, sent, seed=SEED) as platform:
        for part in strikes:
            if part == "broker":
                platform.strike_broker(burst)
            else:
                platform.strike(part, burst)
        platform.strike_all(burst)
        violations = platform.finish()
    assert violations == []
    assert platform.sender.acknowledged == {message.control_id for message in sent.messages}
    caught = {part: platform.members[part].in_flight for part in PARTS}
    assert all(len(counts) >= ROUNDS and min(counts) > 0 for counts in caught.values()), caught
    assert platform.sender.counts["ack_lost"] > 0, "lost acknowledgements are part of the traffic"
    log.info("in flight at each kill: %s; sender: %s", caught, dict(platform.sender.counts))
