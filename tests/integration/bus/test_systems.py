"""The campuses' systems, counted as messages pass."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache

import psycopg
import pytest
import sqlalchemy as sa

from bus import systems, systems_console
from bus.registry.impact import impact
from bus.registry.model import Difference, Drift, Entry, Health
from bus.registry.read import registry
from bus.router.effects import Services
from bus.router.router import Router
from bus.rules.destinations import WebhookDestination
from bus.rules.ruleset import RuleSet
from bus.rules.systems import SystemsFile, load_declared
from consortium.terminology import subscribers
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


def listed(
    engine: sa.Engine, *, patience: float = 1e9, declared: Mapping[str, SystemsFile] | None = None
) -> list[Entry]:
    with engine.connect() as connection:
        return registry(connection, rules(), {}, declared or {}, {"MAIN": patience})[0]


def counts(one: Entry) -> dict[str, int]:
    return {flow.message_type: flow.messages for flow in one.flows}


def today(one: Entry) -> int:
    return sum(flow.today for flow in one.flows)


def test_a_system_is_known_by_what_it_sends(engine: sa.Engine, database_url: str) -> None:
    ids = store(database_url, hl7("ADT^A28", "M1"), hl7("ADT^A31", "M2", sex="X"), lab("M1"), lab("M1"))
    Router(engine, rules(), Services()).answer(ids)
    counted(engine, database_url)
    his, lis = listed(engine)
    assert (his.facility, his.code, counts(his)) == ("MAIN", "HIS", {"ADT^A28": 1, "ADT^A31": 1})
    assert (today(his), his.held_today, his.endpoints) == (2, 1, ["mllp test"])
    assert (lis.code, today(lis), lis.held_today) == ("LIS", 2, 0)
    assert [flow.rules for flow in his.flows] == [["main-patient"], ["main-patient"]]
    assert "main-lab-report" in lis.flows[0].rules
    assert (lis.health, listed(engine, patience=-1)[1].health) == (Health.OK, Health.SILENT)


def test_the_declared_is_joined_to_the_seen_and_its_version_compared(
    engine: sa.Engine, database_url: str
) -> None:
    store(database_url, hl7("ADT^A28", "M1"), lab("M1"), hl7("ADT^A08", "M1", sender="PEIS"))
    counted(engine, database_url)
    declared = load_declared(CHECKOUT / "rules").by_facility
    found = {(one.facility, one.code): one for one in listed(engine, declared=declared)}
    lis = found["MAIN", "LIS"]
    assert lis.declared is not None
    assert lis.drift == [Drift(Difference.OTHER_VERSION, "ORU^R01", "2.5", "2.4")]
    his = found["MAIN", "HIS"].drift
    assert Drift(Difference.UNDECLARED_TYPE, "ADT^A28", found="mllp") in his
    assert Drift(Difference.NEVER_SEEN, "DFT^P03", declared="mllp") in his
    assert found["MAIN", "PEIS"].drift == [Drift(Difference.UNDECLARED_SYSTEM, "")]
    assert found["MAIN", "RIS"].health is Health.UNSEEN


def test_what_waits_for_a_receiver_is_counted(engine: sa.Engine, database_url: str) -> None:
    [id_] = store(database_url, lab("M1"))
    counted(engine, database_url)
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO bus.delivery (destination, message_id, patient_key, form)"
                " VALUES ('ward', :id, 1, 'raw')"
            ),
            {"id": id_},
        )
        subscribers.subscribe(connection, "ward-his", ["department"], "ops")
        connection.execute(
            sa.text(
                "INSERT INTO bus.outbox (destination, dedupe_key, payload) VALUES"
                " ('master-data:ward-his', '1', '{}')"
            )
        )
        connection.execute(
            sa.text(
                "INSERT INTO bus.alert (name, subject, value, threshold, detail)"
                " VALUES ('destination_age', 'ward', 700, 600, '')"
            )
        )
    ward = WebhookDestination(
        name="ward",
        description="x",
        facility="MAIN",
        kind="webhook",
        address="https://ward.example/hook",
        secret="ward",
    )
    with engine.connect() as connection:
        entries, links = registry(connection, rules(), {"ward": ward}, {}, {})
    found = {one.code: one for one in entries}
    assert (found["ward"].receives[0].open, found["ward"].health) == ({"queued": 1}, Health.TROUBLED)
    broken = impact(found["ward"], entries, links)
    assert [(to.name, to.open) for to in broken.unreceived] == [("ward", {"queued": 1})]
    assert [(one.name, one.waiting) for one in found["ward-his"].subscriptions] == [("ward-his", 1)]


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
    assert [(today(one), counts(one)) for one in listed(engine)] == [(0, {"ORU^R01": 1})]
    store(database_url, lab("M2"))
    counted(engine, database_url)
    assert [(today(one), counts(one)) for one in listed(engine)] == [(1, {"ORU^R01": 2})]


def test_the_console_lists_them(
    engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(settings, "load", lambda: Settings(database_url=database_url))
    store(database_url, lab("M1"))
    counted(engine, database_url)
    assert systems_console.systems_main(["list", "--json"]) == 0
    every = json.loads(capsys.readouterr().out)["systems"]
    [one] = [each for each in every if each["last_seen"]]
    assert (one["sender"], one["message_types"]) == ("LIS", {"ORU^R01": 1})
    assert {each["facility"] for each in every} == {"MAIN", "HP", "HY", "NS"}
    assert systems_console.systems_main(["list", "--facility", "MAIN"]) == 0
    assert "LIS" in capsys.readouterr().out
    assert systems_console.systems_main([]) == 2


def test_the_console_shows_one_and_what_breaks_without_it(
    engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(settings, "load", lambda: Settings(database_url=database_url))
    store(database_url, lab("M1"))
    counted(engine, database_url)
    assert systems_console.systems_main(["show", "LIS", "--facility", "MAIN"]) == 0
    assert "hl7v2 2.5" in capsys.readouterr().out
    assert systems_console.systems_main(["show", "patient", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sender"] == "HIS"
    assert systems_console.systems_main(["impact", "LIS", "--facility", "MAIN", "--json"]) == 0
    broken = json.loads(capsys.readouterr().out)
    assert [flow["message_type"] for flow in broken["stops"]] == ["ORU^R01"]
    assert {"name": "main-lab-report", "wholly": True} in broken["rules"]
    assert broken["workflows"] == [{"name": "critical_value", "wholly": False}]
    assert systems_console.systems_main(["impact", "LIS", "--facility", "MAIN"]) == 0
    assert "ORU^R01" in capsys.readouterr().out
    assert systems_console.systems_main(["show", "LIS"]) == 1
    assert "MAIN" in capsys.readouterr().err
    assert systems_console.systems_main(["show", "LISS", "--facility", "MAIN"]) == 1
    assert "LIS" in capsys.readouterr().err
