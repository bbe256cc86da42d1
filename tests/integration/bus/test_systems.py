"""The campuses' systems, counted as messages pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache

import psycopg
import pytest
import sqlalchemy as sa

from bus import systems, systems_console
from bus.router.effects import Services
from bus.router.router import Router
from bus.rules.ruleset import RuleSet
from runtime import settings
from runtime.settings import CHECKOUT, Settings
from tests.integration.bus.clinic import engine_of, hl7, lab, rows, store


@lru_cache(maxsize=1)
def rules() -> RuleSet:
    return RuleSet.load(CHECKOUT / "rules")


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = engine_of(database_url)
    yield engine
    engine.dispose()


def age(url: str) -> None:
    """Let the marker be old enough to be passed."""
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE bus.system_position SET marker_at = '-infinity'")


def counted(engine: sa.Engine, url: str) -> None:
    systems.advance(engine)
    age(url)
    while systems.advance(engine):
        continue


def listed(engine: sa.Engine, facility: str | None = None, patience: float = 1e9) -> list[systems.System]:
    with engine.connect() as connection:
        return systems.systems(connection, rules(), {"MAIN": patience}, facility)


def test_a_system_is_known_by_what_it_sends(engine: sa.Engine, database_url: str) -> None:
    ids = store(database_url, hl7("ADT^A28", "M1"), hl7("ADT^A31", "M2", sex="X"), lab("M1"), lab("M1"))
    Router(engine, rules(), Services()).answer(ids)
    counted(engine, database_url)
    his, lis = listed(engine)
    assert (his.facility, his.sender, his.message_types) == ("MAIN", "HIS", {"ADT^A28": 1, "ADT^A31": 1})
    assert (his.today, his.held_today, his.endpoints) == (2, 1, ["mllp test"])
    assert (lis.sender, lis.today, lis.held_today) == ("LIS", 2, 0)
    assert "main-lab-report" in lis.rules
    assert "main-patient" in his.rules
    assert "main-lab-report" not in his.rules
    assert (lis.silent, listed(engine, patience=-1)[1].silent) == (False, True)
    assert listed(engine, "HP") == []


def test_each_message_is_counted_once_however_often_and_in_what_portions(
    engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systems, "CHUNK", 2)
    store(database_url, *(lab(f"M{n}") for n in range(5)))
    counted(engine, database_url)
    counted(engine, database_url)
    store(database_url, lab("M9"))
    counted(engine, database_url)
    counted(engine, database_url)
    assert rows(database_url, "SELECT messages, today FROM bus.system") == [(6, 6)]


def test_a_message_whose_commit_is_late_is_counted(engine: sa.Engine, database_url: str) -> None:
    late = lab("M1")._replace(sender="RIS")
    with psycopg.connect(database_url) as slow:
        slow.execute(
            "INSERT INTO bus.inbox (facility, sender, control_id, message_type, protocol, endpoint, charset,"
            " digest, size) VALUES ('MAIN', 'RIS', 'late', 'ORU^R01', 'mllp', 'mllp', 'utf-8', '', 0)"
        )
        store(database_url, lab("M2"))
        systems.advance(engine)
        age(database_url)
        systems.advance(engine)
        assert rows(database_url, "SELECT count(*) FROM bus.system") == [(0,)]
    systems.advance(engine)
    assert rows(database_url, "SELECT sender FROM bus.system ORDER BY 1") == [("LIS",), (late.sender,)]


def test_a_day_begins_at_nothing(engine: sa.Engine, database_url: str) -> None:
    store(database_url, lab("M1"))
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE bus.inbox SET received_at = now() - interval '3 days'")
    counted(engine, database_url)
    assert [(one.today, one.message_types) for one in listed(engine)] == [(0, {"ORU^R01": 1})]
    store(database_url, lab("M2"))
    counted(engine, database_url)
    assert [(one.today, one.message_types) for one in listed(engine)] == [(1, {"ORU^R01": 2})]


def test_the_console_lists_them(
    engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(settings, "load", lambda: Settings(database_url=database_url))
    store(database_url, lab("M1"))
    counted(engine, database_url)
    assert systems_console.systems_main(["list", "--json"]) == 0
    [one] = json.loads(capsys.readouterr().out)["systems"]
    assert (one["sender"], one["message_types"]) == ("LIS", {"ORU^R01": 1})
    assert systems_console.systems_main(["list"]) == 0
    assert "LIS" in capsys.readouterr().out
    assert systems_console.systems_main([]) == 2
