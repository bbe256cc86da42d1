"""Replaying one message, many by a query, and edited ones, on a real PostgreSQL with the real rules."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import psycopg
import pytest
import sqlalchemy as sa

from bus import held
from bus.finding import Filters, State
from bus.journey import journey
from bus.replay import edit, one, run
from bus.replay.ledger import ReasonMissingError, Who
from bus.router.effects import Services
from bus.router.router import Router
from bus.rules.ruleset import RuleSet
from consortium.errors import ConflictError
from runtime.settings import CHECKOUT
from tests.integration.bus.clinic import KEY, engine_of, hl7, lab, rows, states, steps, store

CHEN = Who("chen", "代码表已补齐")


@lru_cache(maxsize=1)
def rules() -> RuleSet:
    return RuleSet.load(CHECKOUT / "rules")


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = engine_of(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def router(engine: sa.Engine) -> Router:
    return Router(engine, rules(), Services())


def sex_of(url: str, number: str) -> str | None:
    [(sex,)] = rows(url, "SELECT sex FROM identity.source_patient WHERE number = %s", number)
    return str(sex) if sex else None


def test_a_held_message_is_let_go_with_who_and_why(
    router: Router, engine: sa.Engine, database_url: str
) -> None:
    bad, visit = store(database_url, hl7("ADT^A31", sex="X"), hl7("ADT^A04", visit="V1"))
    router.answer([bad, visit])
    assert one.replay(engine, bad, CHEN, KEY) == [bad, visit]
    with engine.connect() as connection:
        way = journey(connection, str(bad))
    assert way is not None
    [replayed] = way.replays
    assert (replayed.by, replayed.reason, replayed.effect) == ("chen", "代码表已补齐", "released")
    assert "replayed" in steps(database_url, bad)


def test_a_recorded_message_goes_through_the_rules_again_and_changes_nothing_newer(
    router: Router, engine: sa.Engine, database_url: str
) -> None:
    old, new = store(database_url, hl7("ADT^A31", sex="F"), hl7("ADT^A31", sex="M"))
    router.answer([old, new])
    assert one.replay(engine, old, CHEN, KEY) == [old]
    router.answer([old])
    assert steps(database_url, old).count("recorded") == 2
    assert sex_of(database_url, "M1") == "male"


def test_a_merge_replayed_locks_both_patients(router: Router, engine: sa.Engine, database_url: str) -> None:
    first, second, merge = store(
        database_url, hl7("ADT^A28", "M1"), hl7("ADT^A28", "M2"), hl7("ADT^A40", "M1", other="M2")
    )
    before = rows(database_url, "SELECT patient_key, other_key FROM bus.work WHERE id = %s", merge)
    router.answer([first, second, merge])
    one.replay(engine, merge, CHEN, KEY)
    assert rows(database_url, "SELECT patient_key, other_key FROM bus.work WHERE id = %s", merge) == before
    router.answer([merge])
    assert states(database_url) == {}


def test_what_is_on_its_way_or_waits_is_not_replayed(
    router: Router, engine: sa.Engine, database_url: str
) -> None:
    bad, visit = store(database_url, hl7("ADT^A31", sex="X"), hl7("ADT^A04", visit="V1"))
    router.answer([bad, visit])
    [fresh] = store(database_url, lab("M9"))
    for id_, why in ((visit, "waits behind"), (fresh, "on its way"), (999, "no message")):
        with pytest.raises(held.NotHeldError, match=why):
            one.replay(engine, id_, CHEN, KEY)
    assert rows(database_url, "SELECT count(*) FROM bus.replay") == [(0,)]


def test_a_reason_is_required_and_a_key_means_one_replay(
    router: Router, engine: sa.Engine, database_url: str
) -> None:
    [bad] = store(database_url, hl7("ADT^A31", sex="X"))
    router.answer([bad])
    with pytest.raises(ReasonMissingError):
        one.replay(engine, bad, Who("chen", "  "), KEY)
    keyed = Who("chen", "mended", "k1")
    assert one.replay(engine, bad, keyed, KEY) == [bad]
    router.answer([bad])
    assert one.replay(engine, bad, keyed, KEY) == [bad]
    assert states(database_url) == {bad: 1}
    with pytest.raises(ConflictError, match="another replay"):
        one.replay(engine, bad, Who("chen", "another reason", "k1"), KEY)


def test_replays_are_append_only(router: Router, engine: sa.Engine, database_url: str) -> None:
    [bad] = store(database_url, hl7("ADT^A31", sex="X"))
    router.answer([bad])
    one.replay(engine, bad, CHEN, KEY)
    for statement in (
        "UPDATE bus.replay SET reason = 'x'",
        "DELETE FROM bus.replayed",
        "TRUNCATE bus.replayed",
    ):
        with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())


def test_an_edited_message_takes_the_place_of_its_held_original(
    router: Router, engine: sa.Engine, database_url: str
) -> None:
    wrong = hl7("ADT^A31", sex="X")
    bad, visit = store(database_url, wrong, hl7("ADT^A04", visit="V1"))
    later = store(database_url, hl7("ADT^A31", "M1", sex="M"))[0]
    router.answer([bad, visit, later])
    assert states(database_url) == {bad: 1, visit: 2, later: 2}
    made = edit.edit(engine, bad, wrong.body.replace(b"|X\r", b"|F\r"), CHEN, KEY)
    assert states(database_url) == {visit: 0, later: 0, made: 0}
    router.answer([visit])
    assert states(database_url) == {later: 0}
    assert sex_of(database_url, "M1") == "female"
    router.answer([later])
    assert sex_of(database_url, "M1") == "male"
    [(body,)] = rows(database_url, "SELECT body FROM bus.message WHERE id = %s", bad)
    assert bytes(body) == wrong.body
    with engine.connect() as connection:
        original, edited = journey(connection, str(bad)), journey(connection, str(made))
    assert original is not None
    assert edited is not None
    assert original.entry.state is State.DISCARDED
    assert original.replays == edited.replays
    assert (edited.replays[0].original_id, edited.replays[0].message_id) == (bad, made)
    assert edited.same_control_id == (str(bad),)


def test_an_edit_of_a_recorded_message_does_not_overwrite_what_came_later(
    router: Router, engine: sa.Engine, database_url: str
) -> None:
    first = hl7("ADT^A31", sex="F", name="王^珅")
    old, new = store(database_url, first, hl7("ADT^A31", sex="M", name="王^珅"))
    router.answer([old, new])
    made = edit.edit(engine, old, first.body.replace(b"|F\r", b"|O\r"), CHEN, KEY)
    router.answer([made])
    again = edit.edit(engine, made, first.body.replace(b"|F\r", b"|U\r"), CHEN, KEY)
    router.answer([again])
    assert states(database_url) == {}
    assert sex_of(database_url, "M1") == "male"
    assert one.replay(engine, again, CHEN, KEY) == [again]
    assert rows(database_url, "SELECT place FROM bus.work") == [(old,)]


@pytest.mark.parametrize("spoil", [(b"ADT^A31", b"ADT^A08"), (b"|HIS|", b"|LIS|"), (b"MSH|", b"XSH|")])
def test_an_edited_body_stays_what_its_original_is(
    engine: sa.Engine, router: Router, database_url: str, spoil: tuple[bytes, bytes]
) -> None:
    wrong = hl7("ADT^A31", sex="X")
    [bad] = store(database_url, wrong)
    router.answer([bad])
    with pytest.raises(edit.BadEditError):
        edit.edit(engine, bad, wrong.body.replace(*spoil), CHEN, KEY)
    assert states(database_url) == {bad: 1}
    assert rows(database_url, "SELECT count(*) FROM bus.inbox") == [(1,)]


def held_day(router: Router, url: str, count: int) -> list[int]:
    ids = store(url, *(hl7("ADT^A31", f"P{n}", sex="X") for n in range(count)), hl7("ADT^A31", "OK"))
    router.answer(ids)
    return ids[:-1]


def test_many_are_counted_before_and_let_go_in_pages(
    router: Router, engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = held_day(router, database_url, 5)
    monkeypatch.setattr(run, "PAGE", 2)
    filters = Filters(code="unmapped_code", facility="MAIN")
    with engine.connect() as connection:
        found = run.preview(connection, filters)
    assert (found.total, found.by_state, found.by_code) == (5, {"held": 5}, {"unmapped_code": 5})
    assert set(states(database_url).values()) == {1}
    begun = run.start(engine, filters, CHEN)
    assert [list(page) for page in run.drive(engine, begun.id, KEY)] == [ids[:2], ids[2:4], ids[4:]]
    with engine.connect() as connection:
        ended = run.show(connection, begun.id)
    assert ended is not None
    assert (ended.state, ended.done, ended.skipped, ended.total) == ("done", 5, 0, 5)
    assert set(states(database_url).values()) == {0}


def test_many_can_be_stopped_and_what_is_done_stays_done(
    router: Router, engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = held_day(router, database_url, 5)
    monkeypatch.setattr(run, "PAGE", 2)
    begun = run.start(engine, Filters(state=State.HELD), CHEN)
    driving = run.drive(engine, begun.id, KEY)
    assert list(next(driving)) == ids[:2]
    with engine.begin() as connection:
        run.stop(connection, begun.id)
    assert list(driving) == []
    with engine.connect() as connection:
        ended = run.show(connection, begun.id)
        assert run.left(connection) is None
    assert ended is not None
    assert (ended.state, ended.done) == ("stopped", 2)


def test_a_replay_that_nobody_drives_goes_on_where_it_was_left(
    router: Router, engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = held_day(router, database_url, 3)
    monkeypatch.setattr(run, "PAGE", 2)
    begun = run.start(engine, Filters(state=State.HELD), CHEN)
    next(run.drive(engine, begun.id, KEY))
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE bus.replay_run SET moved_at = now() - interval '1 minute'")
    with engine.connect() as connection:
        assert run.left(connection) == begun.id
    assert [list(page) for page in run.drive(engine, begun.id, KEY)] == [ids[2:]]


def test_what_waits_behind_a_held_one_is_passed_by_and_follows(
    router: Router, engine: sa.Engine, database_url: str
) -> None:
    bad, visit = store(database_url, hl7("ADT^A31", sex="X"), hl7("ADT^A04", visit="V1"))
    router.answer([bad, visit])
    begun = run.start(engine, Filters(patient_number="M1"), CHEN)
    assert [list(page) for page in run.drive(engine, begun.id, KEY)] == [[bad, visit]]
    with engine.connect() as connection:
        ended = run.show(connection, begun.id)
    assert ended is not None
    assert (ended.done, ended.skipped) == (1, 1)


@pytest.mark.parametrize("filters", [Filters(), Filters(state=State.REFUSED)])
def test_a_replay_of_everything_or_of_refusals_is_refused(engine: sa.Engine, filters: Filters) -> None:
    with pytest.raises(run.TooManyError):
        run.start(engine, filters, CHEN)


def test_more_than_one_replay_takes_is_refused(
    router: Router, engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_day(router, database_url, 3)
    monkeypatch.setattr(run, "MOST", 2)
    with pytest.raises(run.TooManyError, match="narrow"):
        run.start(engine, Filters(state=State.HELD), CHEN)
    assert rows(database_url, "SELECT count(*) FROM bus.replay") == [(0,)]
