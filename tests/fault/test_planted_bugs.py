"""The harness is worth something only if it sees the bugs it is there for.

Each story is told twice: with the bug planted, and with the real part as the control.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.fault.checker import Violation
from tests.fault.planted import no_unique_key
from tests.fault.rig import Rig, rig
from tests.fault.servers import Servers
from tests.fault.traffic import traffic

MESSAGES = 512
LAST = 128

pytestmark = pytest.mark.timeout(280)


def early_acknowledgement(platform: Rig) -> None:
    """The database is dead while messages come, and the adapter dies before it is back."""
    platform.strike_blind(64)


def no_confirm(platform: Rig) -> None:
    """The broker dies with the last messages: no later one of the same patient rings for them."""
    platform.sender.release(MESSAGES - LAST)
    platform.strike_broker(LAST)


def no_unique_key_left(platform: Rig) -> None:
    """The adapter dies, and some acknowledgements get lost: messages are sent again."""
    platform.strike("adapter", 64)


STORIES = {
    "early acknowledgement": (early_acknowledgement, "adapter", "early_ack", (), "lost", "not in the inbox"),
    "no confirm": (no_confirm, "relay", "no_confirm", (), "lost", "never handled"),
    "no unique key": (
        no_unique_key_left,
        "adapter",
        "no_unique_key",
        no_unique_key.SCHEMA,
        "twice",
        "stored 2 times",
    ),
}


def told(
    story: str, killable: Servers, folder: Path, planted: Mapping[str, str], schema: Sequence[str]
) -> list[Violation]:
    with rig(killable, folder, traffic(MESSAGES), seed=1, planted=planted, schema=schema) as platform:
        STORIES[story][0](platform)
        return platform.finish()


@pytest.mark.parametrize("story", STORIES)
def test_a_planted_bug_is_seen(story: str, killable: Servers, tmp_path: Path) -> None:
    _, part, bug, schema, kind, detail = STORIES[story]
    violations = told(story, killable, tmp_path, {part: f"tests.fault.planted.{bug}"}, schema)
    assert any(v.kind == kind and detail in v.detail for v in violations), violations[:5]


@pytest.mark.parametrize("story", STORIES)
def test_the_same_story_without_the_bug_breaks_no_promise(
    story: str, killable: Servers, tmp_path: Path
) -> None:
    assert told(story, killable, tmp_path, {}, ()) == []
