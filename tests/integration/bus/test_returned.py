"""What the platform built itself and a campus sends back is held, and nobody waits behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bus import gauges, held
from bus.router.effects import Services
from bus.router.router import Router
from bus.rules.ruleset import RuleSet
from tests.integration.bus.clinic import KEY, engine_of, hl7, rows, states, store
from tests.unit.bus.rules.test_destinations import HOOK, WARD
from tests.unit.bus.rules.test_ruleset import folder

RULE = """\
name: main-patient
facility: MAIN
description: a patient
match: msg.type == "ADT^A31"
kind: patient
map:
  patient: {number: PID-3.1, name: {path: PID-5, as: name}}
destinations: [{to: ward-b, send: hl7}, {to: lab-hook, send: canonical}]
"""


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = engine_of(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def router(tmp_path: Path, engine: sa.Engine) -> Router:
    rules = folder(tmp_path, RULE)
    (rules / "destinations").mkdir()
    (rules / "destinations" / "ward-b.yaml").write_text(WARD)
    (rules / "destinations" / "lab-hook.yaml").write_text(HOOK)
    return Router(engine, RuleSet.load(rules), Services(), routing_key=KEY)


def sent(url: str, form: str) -> int:
    """Return the id of the one delivery in a form."""
    [(id_,)] = rows(url, "SELECT id FROM bus.delivery WHERE form = %s", form)
    return int(id_)


def test_what_was_built_here_is_held_aside_when_it_comes_back(
    router: Router, engine: sa.Engine, database_url: str
) -> None:
    first = store(database_url, hl7("ADT^A31"))
    router.answer(first)
    control = f"YL{sent(database_url, 'hl7')}"
    back, after = store(
        database_url, hl7("ADT^A31", sender="YILIAN", control_id=control), hl7("ADT^A31", name="李^雷")
    )
    router.answer([back, after])
    assert states(database_url) == {back: 3}
    with engine.connect() as connection:
        [one] = held.list_held(connection)
        assert gauges.read(connection).held == [("MAIN", "own_message", 1)]
    assert (one.message_id, one.code, one.step, one.field) == (back, "own_message", "door", "MSH-3")
    assert f"of message {first[0]} for ward-b" in one.reason


@pytest.mark.parametrize(
    ("sender", "control"),
    [
        ("HIS", "YL{hl7}"),
        ("YILIAN", "C-17"),
        ("YILIAN", "YL{canonical}"),
        ("YILIAN", "YL999999"),
    ],
)
def test_what_only_looks_like_it_is_taken(
    router: Router, database_url: str, sender: str, control: str
) -> None:
    """An engine's own message of what we told it, a simulator, another consortium's platform."""
    router.answer(store(database_url, hl7("ADT^A31")))
    ids = {form: sent(database_url, form) for form in ("hl7", "canonical")}
    router.answer(store(database_url, hl7("ADT^A31", sender=sender, control_id=control.format(**ids))))
    assert states(database_url) == {}
