"""The router on a real PostgreSQL with the real rules and the real services."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import psycopg
import pytest
import sqlalchemy as sa

from bus import held
from bus.router.effects import Applied, Services
from bus.router.router import Router
from bus.rules.ruleset import RuleSet
from consortium.errors import PermanentError, RetryableError
from consortium.records.model import Change, Provenance
from runtime.settings import CHECKOUT
from tests.integration.bus.clinic import engine_of, hl7, lab, rows, states, steps, store


@lru_cache(maxsize=1)
def rules() -> RuleSet:
    return RuleSet.load(CHECKOUT / "rules")


class Troubled(Services):
    """The real services, with trouble for chosen patients."""

    def __init__(self) -> None:
        self.trouble: dict[str, Exception] = {}
        self.order: list[int] = []

    def apply_many(
        self, connection: sa.Connection, changes: Sequence[tuple[Change, Provenance]]
    ) -> Sequence[Applied | PermanentError]:
        for change, _ in changes:
            if error := self.trouble.get(change.patient.number):
                raise error
        self.order += [provenance.message_id for _, provenance in changes]
        return super().apply_many(connection, changes)


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = engine_of(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def services() -> Troubled:
    return Troubled()


@pytest.fixture
def router(engine: sa.Engine, services: Troubled) -> Router:
    return Router(engine, rules(), services)


def test_one_doorbell_brings_all_that_came_before_for_its_patient(
    router: Router, database_url: str, services: Troubled
) -> None:
    ids = store(database_url, hl7("ADT^A04", visit="V1"), hl7("ADT^A08", visit="V1"), lab())
    router.answer(ids[2:])
    assert services.order == ids
    assert states(database_url) == {}
    assert rows(database_url, "SELECT number, name FROM identity.source_patient") == [("M1", "王珅")]
    assert [steps(database_url, each) for each in ids] == [["recorded"]] * 3


def test_a_doorbell_rung_again_has_no_second_effect(
    router: Router, database_url: str, services: Troubled
) -> None:
    ids = store(database_url, lab())
    for _ in range(3):
        router.answer(ids)
    assert services.order == ids
    assert steps(database_url, ids[0]) == ["recorded"]


def test_what_came_later_than_the_doorbell_is_left_to_its_own(router: Router, database_url: str) -> None:
    first, second = store(database_url, hl7("ADT^A28"), hl7("ADT^A31"))
    router.answer([first])
    assert states(database_url) == {second: 0}


def test_behind_a_held_message_identity_and_visits_wait(router: Router, database_url: str) -> None:
    bad, visit, other = store(
        database_url, hl7("ADT^A31", sex="X"), hl7("ADT^A04", visit="V1"), hl7("ADT^A28", "M2")
    )
    router.answer([bad, visit, other])
    assert states(database_url) == {bad: 1, visit: 2}
    assert rows(database_url, "SELECT blocked_by FROM bus.work WHERE id = %s", visit) == [(bad,)]
    [(code, rule, step, field)] = rows(database_url, "SELECT code, rule, step, field FROM bus.held")
    assert (code, rule, step, field) == ("unmapped_code", "main-patient", "lookup sex", "PID-8")


def test_a_result_passes_a_held_message_when_its_patient_is_known(router: Router, database_url: str) -> None:
    known, bad, result = store(database_url, hl7("ADT^A28"), hl7("ADT^A31", sex="X"), lab())
    router.answer([known, bad, result])
    assert states(database_url) == {bad: 1}
    assert steps(database_url, result) == ["recorded"]


def test_a_result_of_an_unknown_patient_waits_behind_a_held_message(
    router: Router, database_url: str
) -> None:
    bad, result = store(database_url, hl7("ADT^A28", sex="X"), lab())
    router.answer([bad, result])
    assert states(database_url) == {bad: 1, result: 2}


def test_a_released_message_goes_first_and_the_waiting_follow(
    router: Router, database_url: str, engine: sa.Engine, services: Troubled
) -> None:
    services.trouble["M1"] = PermanentError("not today")
    bad, visit = store(database_url, hl7("ADT^A28"), hl7("ADT^A04", visit="V1"))
    router.answer([bad])
    router.answer([visit])
    assert states(database_url) == {bad: 1, visit: 2}
    services.trouble.clear()
    with engine.begin() as connection:
        assert held.release(connection, bad, "chen") == [bad, visit]
    router.answer([bad, visit])
    assert services.order == [bad, visit]
    assert states(database_url) == {}
    assert steps(database_url, bad) == ["held", "released", "recorded"]
    assert rows(database_url, "SELECT released_by FROM bus.held") == [("chen",)]


def test_a_discarded_message_has_no_effect_and_those_behind_it_go_on(
    router: Router, database_url: str, engine: sa.Engine
) -> None:
    bad, visit = store(database_url, hl7("ADT^A31", sex="X"), hl7("ADT^A04", visit="V1"))
    router.answer([bad, visit])
    with engine.begin() as connection:
        assert held.discard(connection, bad, "chen", "sent by mistake") == [visit]
    router.answer([visit])
    assert states(database_url) == {}
    assert steps(database_url, bad) == ["held", "discarded"]


def test_what_is_not_held_cannot_be_released(router: Router, database_url: str, engine: sa.Engine) -> None:
    ids = store(database_url, lab())
    with engine.begin() as connection, pytest.raises(held.NotHeldError, match="on its way"):
        held.release(connection, ids[0], "chen")
    router.answer(ids)
    with engine.begin() as connection, pytest.raises(held.NotHeldError, match="is done"):
        held.release(connection, ids[0], "chen")
    with engine.begin() as connection, pytest.raises(held.NotHeldError, match="no message 999"):
        held.release(connection, 999, "chen")


def test_a_failing_message_does_not_take_its_neighbours_along(
    router: Router, database_url: str, services: Troubled
) -> None:
    services.trouble["M2"] = ZeroDivisionError("a bug")
    ids = store(database_url, hl7("ADT^A28", "M1"), hl7("ADT^A28", "M2"), hl7("ADT^A28", "M3"))
    router.answer(ids)
    assert states(database_url) == {ids[1]: 1}
    [(code, reason)] = rows(database_url, "SELECT code, reason FROM bus.held")
    assert code == "internal_error"
    assert "ZeroDivisionError" in reason
    assert "a bug" not in reason
    assert rows(database_url, "SELECT number FROM identity.source_patient ORDER BY 1") == [("M1",), ("M3",)]


def test_a_message_that_may_succeed_later_is_put_off_with_those_behind_it(
    engine: sa.Engine, database_url: str, services: Troubled
) -> None:
    now = datetime.now(UTC)
    router = Router(engine, rules(), services, clock=lambda: now + timedelta(hours=1))
    services.trouble["M1"] = RetryableError("peer is away")
    first, second = store(database_url, hl7("ADT^A28"), lab())
    router.answer([first, second])
    found = rows(
        database_url, "SELECT id, state, attempts, not_before > now(), published_at FROM bus.work ORDER BY id"
    )
    assert found == [(first, 0, 1, True, None), (second, 0, 0, True, None)]
    router.answer([first, second])
    assert rows(database_url, "SELECT attempts FROM bus.work ORDER BY id") == [(1,), (0,)]


def test_after_five_attempts_it_is_held(engine: sa.Engine, database_url: str, services: Troubled) -> None:
    router = Router(engine, rules(), services, clock=lambda: datetime(2020, 1, 1, tzinfo=UTC))
    services.trouble["M1"] = RetryableError("peer is away")
    ids = store(database_url, hl7("ADT^A28"))
    for _ in range(5):
        router.answer(ids)
    assert states(database_url) == {ids[0]: 1}
    assert rows(database_url, "SELECT code FROM bus.held") == [("failed_repeatedly",)]
    assert steps(database_url, ids[0]) == ["retry"] * 4 + ["held"]


def test_a_merge_waits_for_both_patients(router: Router, database_url: str, services: Troubled) -> None:
    arrivals = (
        hl7("ADT^A28", "M1"),
        hl7("ADT^A28", "M2"),
        hl7("ADT^A40", "M1", other="M2"),
        hl7("ADT^A31", "M2", name="王^珅二"),
    )
    ids = store(database_url, *arrivals)
    router.answer([ids[3]])
    assert services.order == ids
    assert states(database_url) == {}


def test_a_merge_behind_a_held_message_of_the_other_patient_waits(router: Router, database_url: str) -> None:
    bad, merge = store(database_url, hl7("ADT^A28", "M2", sex="X"), hl7("ADT^A40", "M1", other="M2"))
    router.answer([merge])
    assert states(database_url) == {bad: 1, merge: 2}


def test_a_message_without_a_rule_is_held(router: Router, database_url: str) -> None:
    ids = store(database_url, hl7("ADT^A60"))
    router.answer(ids)
    assert rows(database_url, "SELECT code, step FROM bus.held") == [("no_rule", "match")]


def test_a_body_that_does_not_decode_is_held(router: Router, database_url: str) -> None:
    ids = store(database_url, hl7("ADT^A28"))
    with psycopg.connect(database_url) as connection:
        connection.execute(r"UPDATE bus.body SET body = body || '\xff'::bytea")
    router.answer(ids)
    assert rows(database_url, "SELECT code FROM bus.held") == [("unknown_charset",)]


def test_a_critical_value_puts_one_event_into_the_outbox(router: Router, database_url: str) -> None:
    ids = store(database_url, hl7("ADT^A28"), lab(flag="HH", value="6.8"), lab(flag="HH", value="6.8"))
    router.answer(ids)
    [(message, destination, key, payload)] = rows(
        database_url, "SELECT message_id, destination, dedupe_key, payload FROM bus.outbox"
    )
    assert (message, destination) == (ids[1], "workflow")
    assert key.startswith("critical:")
    assert "王珅" not in str(payload)


def test_codes_that_no_table_knows_are_counted(router: Router, database_url: str) -> None:
    ids = store(database_url, hl7("ADT^A28", "M1", sex="X"), hl7("ADT^A28", "M2", sex="X"))
    router.answer(ids)
    assert rows(database_url, "SELECT facility, code_table, code, count FROM bus.unmapped") == [
        ("MAIN", "sex", "X", 2)
    ]


def test_without_a_database_nothing_is_swallowed(database_url: str, services: Troubled) -> None:
    away = engine_of(database_url.rsplit("/", 1)[0] + "/no_such_database")
    with pytest.raises(sa.exc.OperationalError):
        Router(away, rules(), services).answer([1])
