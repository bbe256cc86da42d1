"""The router's start: it takes up the active rule set, and waits for a database that is away."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bus.router.__main__ import opened
from bus.rules.versions.folder import digest_of, laid_out
from bus.rules.versions.model import RefusedRulesError
from bus.rules.versions.shelf import Shelf
from runtime.settings import Settings
from tests.integration.bus.clinic import engine_of, rows
from tests.integration.bus.rules.sets import numbered

AWAY = "postgresql://nobody@127.0.0.1:1/nowhere"


def test_a_fresh_database_is_given_the_set_of_the_checkout(database_url: str) -> None:
    engine = engine_of(database_url)
    shelf = Shelf(engine)
    with laid_out(numbered(1)) as folder:
        assert opened(shelf, engine, Settings(rules_dir=folder), threading.Event())
    assert shelf.detail()["rules"] == digest_of(numbered(1))[:12]
    assert rows(database_url, "SELECT action FROM bus.rule_activation") == [("initial",)]


def test_a_broken_checkout_does_not_start_a_fresh_database(database_url: str) -> None:
    engine = engine_of(database_url)
    with laid_out(numbered(1, expected="other")) as folder, pytest.raises(RefusedRulesError):
        opened(Shelf(engine), engine, Settings(rules_dir=folder), threading.Event())


def test_a_database_that_is_away_is_waited_for_until_told_to_stop() -> None:
    stop, asked = threading.Event(), threading.Event()
    engine = engine_of(AWAY)
    shelf = Shelf(engine)

    class Waiting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            asked.set()
            return stop.wait(timeout)

        def is_set(self) -> bool:
            return stop.is_set()

    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(opened, shelf, engine, Settings(), Waiting())
        assert asked.wait(timeout=20)
        assert not opening.done()
        stop.set()
        assert opening.result(timeout=20) is False
