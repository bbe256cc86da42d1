"""The gateways as the hub knows them: listed, and watched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bus import systems_console
from bus.alerts.conditions import Limits
from bus.tending import Tended, Watch
from runtime import settings
from runtime.settings import Settings

CALLED = sa.text(
    "INSERT INTO bus.gateway (name, campuses, last_seen, spooled, oldest_seconds, detail)"
    " VALUES (:name, '{NS}', clock_timestamp() - make_interval(secs => :silent), :spooled, :oldest,"
    " CAST(:detail AS jsonb))"
    " ON CONFLICT (name) DO UPDATE SET last_seen = excluded.last_seen, spooled = excluded.spooled,"
    " oldest_seconds = excluded.oldest_seconds"
)


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """An engine on the test's database."""
    engine = sa.create_engine(sa.make_url(database_url).set(drivername="postgresql+psycopg"))
    yield engine
    engine.dispose()


def called(
    engine: sa.Engine,
    name: str,
    *,
    silent: float = 1.0,
    spooled: int = 0,
    oldest: float = 0.0,
    full: str = "",
) -> None:
    """Say that a gateway called so many seconds ago."""
    told = {"name": name, "silent": silent, "spooled": spooled, "oldest": oldest}
    with engine.begin() as connection:
        connection.execute(CALLED, {**told, "detail": json.dumps({"version": "1", "full": full})})


def test_a_silent_gateway_and_a_late_one_raise_an_alert_that_clears_when_they_are_well(
    engine: sa.Engine, database_url: str, tmp_path: Path
) -> None:
    watch = Watch(engine, Tended(database_url, "key", tmp_path, Limits(disk_free=0.0, gateway_seconds=600)))

    def open_() -> list[tuple[str, str]]:
        watch.look()
        with engine.connect() as connection:
            asked = "SELECT subject, detail FROM bus.alert WHERE name = 'gateway' AND cleared_at IS NULL"
            return [tuple(row) for row in connection.execute(sa.text(f"{asked} ORDER BY subject"))]

    called(engine, "ns-front")
    assert open_() == []
    called(engine, "hy-front", silent=660)
    called(engine, "ns-front", spooled=9, oldest=1200)
    (silent, silence), (late, lateness) = open_()
    assert (silent, late) == ("hy-front", "ns-front")
    assert "no sign of life for 11 minutes" in silence
    assert "9 messages wait there, the oldest for 20 minutes" in lateness
    called(engine, "hy-front")
    called(engine, "ns-front", spooled=1, oldest=2)
    assert open_() == []


def test_the_console_lists_them(
    engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(settings, "load", lambda: Settings(database_url=database_url))
    called(engine, "hy-front", silent=900)
    called(engine, "ns-front", spooled=3, full="the disk of the spool has 9 MiB left")
    assert systems_console.systems_main(["gateways", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["gateways"]
    assert [(one["name"], one["spooled"]) for one in found] == [("hy-front", 0), ("ns-front", 3)]
    monkeypatch.setenv("COLUMNS", "200")
    assert systems_console.systems_main(["gateways", "--facility", "NS"]) == 0
    silent, full = capsys.readouterr().out.splitlines()[1:]
    assert "silent" in silent
    assert "the disk of the spool has 9 MiB left" in full
    assert systems_console.systems_main(["gateways", "--facility", "HP"]) == 0
    assert "no gateway has called yet" in capsys.readouterr().out
