"""Where is message X: the list, the whole way of one message, and the console."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache

import psycopg
import pytest
import sqlalchemy as sa

from bus import console, tracing
from bus.finding import Filters, State
from bus.journal import BadCursorError, Entry, Page, search
from bus.journey import journey
from bus.router.effects import Services
from bus.router.router import Router
from bus.rules.ruleset import RuleSet
from runtime import settings
from runtime.settings import CHECKOUT, Settings
from tests.integration.bus.clinic import KEY, engine_of, hl7, lab, store

REFUSAL = (
    "INSERT INTO bus.refusal (protocol, endpoint, peer, facility, code, reason, size, body)"
    " VALUES ('mllp', 'test', '127.0.0.1:9', NULL, 'missing_msh', 'the frame holds no MSH', 3, 'abc')"
)


@lru_cache(maxsize=1)
def rules() -> RuleSet:
    return RuleSet.load(CHECKOUT / "rules")


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = engine_of(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def day(database_url: str, engine: sa.Engine) -> dict[str, str]:
    """A day on which each thing happened once: the name of what happened, and the id."""
    recorded, bad, waiting = store(
        database_url, hl7("ADT^A28", "M1"), hl7("ADT^A31", "M2", sex="X"), hl7("ADT^A04", "M2", visit="V1")
    )
    Router(engine, rules(), Services()).answer([recorded, bad, waiting])
    first = store(database_url, hl7("ADT^A28", "M3", control_id="TWICE"))
    second = store(database_url, hl7("ADT^A28", "M3", name="李^四", control_id="TWICE"))
    published = store(database_url, lab("M4"))
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE bus.work SET published_at = now() WHERE id = %s", published)
        connection.execute(REFUSAL)
    return {
        "recorded": str(recorded),
        "held": str(bad),
        "waiting": str(waiting),
        "stored": str(first[0]),
        "conflict": str(second[0]),
        "published": str(published[0]),
        "refused": "r1",
    }


def entries(engine: sa.Engine, **filters: object) -> list[Entry]:
    with engine.connect() as connection:
        return list(search(connection, Filters(**filters)).entries)  # type: ignore[arg-type]


def test_every_state_is_told_and_found(engine: sa.Engine, day: dict[str, str]) -> None:
    assert {e.id: e.state.value for e in entries(engine)} == {id_: state for state, id_ in day.items()}
    for state, id_ in day.items():
        assert [e.id for e in entries(engine, state=State(state))] == [id_]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"patient_number": "M2"}, ["waiting", "held"]),
        ({"control_id": "TWICE"}, ["conflict", "stored"]),
        ({"message_type": "ORU^R01"}, ["published"]),
        ({"facility": "HP"}, []),
        ({"text": "no MSH"}, ["refused"]),
        ({"text": "unmapped"}, ["held"]),
        ({"text": "100%"}, []),
    ],
)
def test_filters_find_what_they_name(
    engine: sa.Engine, day: dict[str, str], filters: dict[str, str], found: list[str]
) -> None:
    assert [e.id for e in entries(engine, **filters)] == [day[name] for name in found]


def test_a_held_message_says_why_and_a_waiting_one_behind_whom(
    engine: sa.Engine, day: dict[str, str]
) -> None:
    [held] = entries(engine, state=State.HELD)
    assert (held.code, held.rule, held.step, held.field) == (
        "unmapped_code",
        "main-patient",
        "lookup sex",
        "PID-8",
    )
    [waiting] = entries(engine, state=State.WAITING)
    assert waiting.blocked_by == day["held"]


def test_pages_join_without_gap_or_repetition(engine: sa.Engine, day: dict[str, str]) -> None:
    seen: list[str] = []
    after: str | None = None
    with engine.connect() as connection:
        while True:
            found = search(connection, Filters(), Page(limit=2, after=after))
            seen += [e.id for e in found.entries]
            after = found.next
            if after is None:
                break
    assert sorted(seen) == sorted(day.values())
    assert len(seen) == len(set(seen))


def test_a_cursor_from_elsewhere_is_refused(engine: sa.Engine) -> None:
    with engine.connect() as connection, pytest.raises(BadCursorError):
        search(connection, Filters(), Page(after="1 OR 1=1"))


def test_a_journey_tells_the_whole_way(engine: sa.Engine, day: dict[str, str]) -> None:
    with engine.connect() as connection:
        held = journey(connection, day["held"])
        twice = journey(connection, day["conflict"])
        refused = journey(connection, "r1")
    assert held is not None
    assert twice is not None
    assert refused is not None
    assert [step.step for step in held.steps] == ["held"]
    assert held.waiting == (day["waiting"],)
    assert "王^珅" in held.body
    assert held.body.count("\n") >= 2
    assert twice.same_control_id == (day["stored"],)
    assert (refused.entry.state, refused.body) == (State.REFUSED, "abc")


@pytest.mark.parametrize("id_", ["999999", "r999", "x", "", "1;", "٣", "9" * 30])
def test_what_is_not_there_has_no_journey(engine: sa.Engine, id_: str) -> None:
    with engine.connect() as connection:
        assert journey(connection, id_) is None


@pytest.fixture
def at_console(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "load", lambda: Settings(database_url=database_url, routing_key=KEY))


@pytest.mark.usefixtures("at_console")
def test_the_console_lists_shows_and_replays(day: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert console.messages_main(["list", "--state", "held", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [m["id"] for m in listed["messages"]] == [day["held"]]
    assert console.messages_main(["show", day["held"]]) == 0
    shown = capsys.readouterr().out
    assert "unmapped_code" in shown
    assert f"trace id  {tracing.trace_id(int(day['held'])):032x}" in shown
    assert console.messages_main(["replay", "--code", "unmapped_code", "--by", "chen", "--dry-run"]) == 0
    assert "1 would go again" in capsys.readouterr().out
    many = ["replay", "--code", "unmapped_code", "--by", "chen", "--json"]
    assert console.messages_main(many) == 1
    assert "--why" in capsys.readouterr().err
    assert console.messages_main([*many, "--why", "mended"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["ready"], told["state"], told["done"]) == ([day["held"], day["waiting"]], "done", 1)
    assert console.messages_main(["list", "--state", "stored", "--json"]) == 0
    stored = json.loads(capsys.readouterr().out)["messages"]
    assert {m["id"] for m in stored} == {day["held"], day["waiting"], day["stored"]}


@pytest.mark.usefixtures("at_console")
def test_the_console_says_what_to_do(day: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert console.messages_main(["show", "999"]) == 1
    assert console.messages_main(["replay", day["waiting"], "--why", "mended"]) == 1
    assert console.messages_main(["discard", day["held"], "--why", "sent twice"]) == 0
    assert console.messages_main(["nonsense"]) == 2
    told = capsys.readouterr()
    assert f"waits behind message {day['held']}" in told.err
    assert "1 on their way again" in told.out
