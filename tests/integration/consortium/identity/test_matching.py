"""Probable links, reviews and decisions on a real PostgreSQL."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consortium.errors import ConflictError, PermanentError
from consortium.identity import census, pipeline, service, store
from consortium.identity.census import Census, Statement
from consortium.identity.matching import active
from consortium.records.model import Merge, Patient, Provenance
from tests.integration.consortium.identity.test_service import wait_until_blocked

CARD, OTHER_CARD = "440105199003072318", "440105199003072393"
BORN = date(1990, 3, 7)
NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
WHO: dict[str, Any] = {"name": "欧阳文锦", "birth_date": BORN, "sex": "male", "phone": "13800138001"}
TWIN: dict[str, Any] = {**WHO, "name": "欧阳文博"}


def provenance(message: int, facility: str) -> Provenance:
    return Provenance(message_id=message, facility=facility, received_at=NOW + timedelta(seconds=message))


def register(connection: sa.Connection, message: int, number: str, **facts: Any) -> int:
    """Register a number, named by its facility and a letter (`HP.a`); returns its source patient."""
    facility, _, own = number.partition(".")
    return service.register(
        connection, facility, Patient(number=own, **facts), provenance(message, facility)
    ).id


def persons(connection: sa.Connection) -> dict[int, UUID]:
    rows = connection.exec_driver_sql("SELECT source_patient_id, person_id FROM identity.link").all()
    return {row[0]: row[1] for row in rows}


def together(connection: sa.Connection) -> set[frozenset[str]]:
    """Return who is one person, by number."""
    rows = connection.exec_driver_sql(
        "SELECT array_agg(facility || '.' || number) FROM identity.link"
        " JOIN identity.source_patient s ON s.id = source_patient_id GROUP BY person_id"
    )
    return {frozenset(row[0]) for row in rows}


def reviews(connection: sa.Connection, state: str = "open") -> list[tuple[int, int, str]]:
    rows = connection.exec_driver_sql(
        "SELECT left_id, right_id, reason FROM identity.review WHERE state = %s ORDER BY 1, 2", (state,)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def ledger(connection: sa.Connection) -> list[sa.Row[Any]]:
    return list(connection.exec_driver_sql("SELECT * FROM identity.ledger ORDER BY id").all())


def test_one_person_without_a_card_is_linked_and_the_link_says_why(connection: sa.Connection) -> None:
    first, second = register(connection, 1, "MAIN.a", **WHO), register(connection, 2, "HP.b", **WHO)
    assert persons(connection)[first] == persons(connection)[second]
    link = connection.exec_driver_sql(
        "SELECT * FROM identity.link WHERE source_patient_id = %s", (second,)
    ).one()
    assert (link.origin, link.rule, link.model_version) == ("automatic", "probable", active().version)
    assert link.weight == pytest.approx(sum(step["weight"] for step in link.evidence), abs=0.01)
    assert [step["level"] for step in link.evidence] == [
        "", "exact", "exact", "exact", "missing", "exact", "missing",
    ]  # fmt: skip
    assert ledger(connection)[-1].weight == link.weight


def test_one_person_in_one_batch_is_linked(connection: sa.Connection) -> None:
    statements = [
        Statement(Patient(number=number, **WHO), provenance(1, facility))
        for facility, number in (("MAIN", "a"), ("HP", "b"), ("HY", "c"))
    ]
    census = Census(connection, statements)
    for statement in statements:
        census.take(statement)
    assert census.finish() == {"patient": 3, "link": 3}
    assert len(together(connection)) == 1


def test_a_homophone_and_an_earlier_phone_are_found(connection: sa.Connection) -> None:
    register(connection, 1, "MAIN.a", **WHO)
    register(connection, 2, "MAIN.a", phone="13900139002")
    register(connection, 3, "HP.b", **{**WHO, "name": "歐陽文錦"})
    assert together(connection) == {frozenset({"MAIN.a", "HP.b"})}


def test_a_change_that_parts_two_moves_the_link(connection: sa.Connection) -> None:
    first, second = register(connection, 1, "MAIN.a", **WHO), register(connection, 2, "HP.b", **WHO)
    before = persons(connection)[first]
    register(connection, 3, "HP.b", name="李四", birth_date=date(1970, 1, 5), phone="13900139002")
    assert persons(connection)[first] == before != persons(connection)[second]
    assert reviews(connection) == [(first, second, "overlay")]


def test_twins_are_asked_about_once_and_never_linked(connection: sa.Connection) -> None:
    first = register(connection, 1, "MAIN.a", **WHO)
    second = register(connection, 2, "MAIN.b", **TWIN)
    third = register(connection, 3, "HP.c", **TWIN)
    assert persons(connection)[second] == persons(connection)[third] != persons(connection)[first]
    assert reviews(connection) == [(first, second, "twin")]
    register(connection, 4, "HP.c", address="广州")
    assert reviews(connection) == [(first, second, "twin")]


def test_a_review_is_withdrawn_when_its_question_is_answered_otherwise(connection: sa.Connection) -> None:
    first, second = register(connection, 1, "MAIN.a", **WHO), register(connection, 2, "HP.b", **TWIN)
    assert reviews(connection) == [(first, second, "twin")]
    register(connection, 3, "HP.b", name=WHO["name"])
    assert reviews(connection) == []
    assert reviews(connection, "withdrawn") == [(first, second, "twin")]


def test_newborns_and_unknown_patients_are_linked_by_nothing(connection: sa.Connection) -> None:
    baby = {**WHO, "name": "欧阳文锦之子", "address": "广州市越秀区1号"}
    first, second = register(connection, 1, "MAIN.a", **baby), register(connection, 2, "HP.b", **baby)
    for index in range(3):
        register(connection, 3 + index, f"HP.x{index}", name="无名氏", sex="male")
    assert len(together(connection)) == 5
    assert reviews(connection) == [(first, second, "placeholder")]


def test_an_unknown_patient_who_is_named_later_joins_their_person(connection: sa.Connection) -> None:
    register(connection, 1, "MAIN.a", **WHO)
    register(connection, 2, "HP.b", name="无名氏", sex="male")
    assert len(together(connection)) == 2
    register(connection, 3, "HP.b", **WHO)
    assert len(together(connection)) == 1


def test_a_decision_holds_at_once_and_is_taken_back_exactly(connection: sa.Connection) -> None:
    first, second = register(connection, 1, "MAIN.a", **WHO), register(connection, 2, "HP.b", **WHO)
    third = register(connection, 3, "HY.c", name="李四")
    before = persons(connection)
    apart = service.decide(connection, second, first, "different", "two patients were here", "registrar")
    assert persons(connection)[first] != persons(connection)[second]
    joined = service.decide(connection, second, third, "same", "showed both cards", "registrar")
    assert persons(connection)[third] == persons(connection)[second]
    rows = [row for row in ledger(connection) if row.by_user is not None]
    assert [(row.origin, row.by_user, row.reason) for row in rows] == [
        ("manual", "registrar", "two patients were here"),
        ("manual", "registrar", "showed both cards"),
    ]
    service.revoke(connection, joined, "registrar", "wrong window")
    service.revoke(connection, apart, "registrar", "wrong window")
    assert persons(connection) == before
    rules = connection.exec_driver_sql("SELECT origin, rule FROM identity.link ORDER BY source_patient_id")
    assert [tuple(row) for row in rules] == [
        ("automatic", "own_number"),
        ("automatic", "probable"),
        ("automatic", "own_number"),
    ]
    with pytest.raises(ConflictError, match="was revoked"):
        service.revoke(connection, apart, "registrar", "again")


def test_what_was_decided_outranks_what_campuses_say_later(connection: sa.Connection) -> None:
    first, second = register(connection, 1, "MAIN.a", **WHO), register(connection, 2, "HP.b", **WHO)
    service.decide(connection, first, second, "different", "father and son", "registrar")
    register(connection, 3, "MAIN.a", id_card=CARD)
    register(connection, 4, "HP.b", id_card=CARD)
    register(connection, 5, "HY.c", **WHO, id_card=CARD)
    assert persons(connection)[first] != persons(connection)[second]
    assert reviews(connection) == []


def test_a_decision_answers_its_review(connection: sa.Connection) -> None:
    first, second = register(connection, 1, "MAIN.a", **WHO), register(connection, 2, "HP.b", **TWIN)
    verdict = service.decide(connection, first, second, "different", "twins", "registrar")
    answered = connection.exec_driver_sql("SELECT state, decided_by, verdict_id FROM identity.review").all()
    assert [tuple(row) for row in answered] == [("decided", "registrar", verdict)]
    register(connection, 3, "HP.b", address="广州")
    assert reviews(connection) == []
    service.revoke(connection, verdict, "registrar", "not sure")
    assert reviews(connection) == [(first, second, "twin")]


def test_impossible_decisions_are_refused(connection: sa.Connection) -> None:
    first, second, third = (register(connection, i, f"MAIN.{i}", **WHO) for i in (1, 2, 3))
    verdict = service.decide(connection, first, second, "same", "seen", "registrar")
    assert service.decide(connection, second, first, "same", "again", "registrar") == verdict
    with pytest.raises(ConflictError, match="revoke it first"):
        service.decide(connection, first, second, "different", "no", "registrar")
    service.decide(connection, second, third, "different", "seen", "registrar")
    with pytest.raises(ConflictError, match="leave no room"):
        service.decide(connection, first, third, "same", "no", "registrar")


@pytest.mark.parametrize("pair", [(1, 1), (1, 999_999)])
def test_a_decision_needs_two_source_patients(connection: sa.Connection, pair: tuple[int, int]) -> None:
    with pytest.raises(PermanentError):
        service.decide(connection, *pair, "same", "x", "registrar")


def test_a_block_with_too_many_is_not_searched_but_counted(connection: sa.Connection) -> None:
    model = replace(active(), block_limit=2)
    for index in range(4):
        facility = f"C{index}"
        statement = Statement(
            Patient(number="a", name=f"李{index}四", phone="13800138001"), provenance(index, facility)
        )
        census = Census(connection, [statement], model=model)
        census.take(statement)
        census.finish()
    counted = connection.exec_driver_sql("SELECT kind, count(*) FROM identity.crowded GROUP BY kind").all()
    assert [tuple(row) for row in counted] == [("phone", 1)]


def test_numbers_from_before_the_model_are_found_once_everybody_was_relinked(
    connection: sa.Connection,
) -> None:
    first = register(connection, 1, "MAIN.a", **WHO)
    register(connection, 2, "MAIN.b", name="李四")
    connection.exec_driver_sql("DELETE FROM identity.block")
    second = register(connection, 3, "HP.c", **WHO)
    assert len(together(connection)) == 3
    after: int | None = 0
    while after is not None:
        after = service.relink(connection, after, 2, NOW)
    assert persons(connection)[first] == persons(connection)[second]
    written = len(ledger(connection))
    assert service.relink(connection, 0, 9, NOW) == second
    assert len(ledger(connection)) == written


def counted(connection: sa.Connection, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the statements of this connection from now on, and the round trips for those that are asked."""
    seen: Counter[str] = Counter()

    def ask(on: sa.Connection, questions: Sequence[pipeline.Question]) -> list[pipeline.Answer]:
        seen.update(asked=len(questions), trips=1)
        return pipeline.ask(on, questions)

    monkeypatch.setattr(census, "ask", ask)
    monkeypatch.setattr(store, "ask", ask)
    sa.event.listen(connection, "before_cursor_execute", lambda *_: seen.update(others=1))
    return seen


def test_what_changes_nothing_asks_nothing_more(
    connection: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(connection, 1, "MAIN.a", **WHO)
    seen = counted(connection, monkeypatch)
    register(connection, 2, "MAIN.a", **WHO)
    assert seen == {
        "asked": 1,
        "trips": 1,
        "others": 1,
    }  # loaded, and written with the message that spoke last


def test_the_rows_of_a_registration_are_asked_for_in_few_round_trips(
    connection: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = counted(connection, monkeypatch)
    register(connection, 1, "MAIN.a", **WHO)
    assert seen["trips"] == 2  # the number; then locks, cards and people, decisions, blocks, and an id
    seen.clear()
    register(connection, 2, "HP.b", **WHO)
    assert seen["trips"] == 3  # once more, with the lock of the person that was found
    assert seen["others"] == 5  # the candidate; then what is written, in one trip
    assert together(connection) == {frozenset({"MAIN.a", "HP.b"})}


def test_two_transactions_with_one_new_person_end_in_one(engine: sa.Engine) -> None:
    with engine.connect() as first, engine.connect() as second:
        pid = second.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        register(first, 1, "MAIN.a", **WHO)

        def late() -> None:
            register(second, 2, "HP.b", **WHO)
            second.commit()

        thread = Thread(target=late)
        thread.start()
        wait_until_blocked(engine, pid, thread)
        first.commit()
        thread.join(timeout=30)
        assert together(first) == {frozenset({"MAIN.a", "HP.b"})}


NUMBERS = ("MAIN.a", "MAIN.b", "HP.c", "HY.d")
Step = Callable[[sa.Connection, int], None]
SAID = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["欧阳文锦", "欧阳文进", "李四", "欧阳文锦之子"]),
        "birth_date": st.sampled_from([BORN, date(1990, 7, 3)]),
        "id_card": st.sampled_from([None, CARD, OTHER_CARD]),
        "phone": st.sampled_from([None, "13800138001", "13900139002"]),
        "sex": st.sampled_from(["male", "female"]),
    }
)


@st.composite
def days(draw: st.DrawFn) -> tuple[list[list[Step]], list[tuple[tuple[str, str], Step]]]:
    """What each number says, in its order, and what a person decides without contradicting themselves."""
    said = [
        [saying(number, facts) for facts in draw(st.lists(SAID, min_size=1, max_size=2))]
        for number in NUMBERS
    ]
    hidden = {number: draw(st.integers(0, 2)) for number in NUMBERS}
    decided = draw(st.sets(st.sampled_from([*combinations(NUMBERS, 2)]), max_size=3))
    return said, [
        (p, deciding(p, "same" if hidden[p[0]] == hidden[p[1]] else "different")) for p in sorted(decided)
    ]


def saying(number: str, facts: dict[str, Any]) -> Step:
    def step(connection: sa.Connection, message: int) -> None:
        register(connection, message, number, **facts)

    return step


def deciding(pair: tuple[str, str], says: Any) -> Step:
    def step(connection: sa.Connection, _message: int) -> None:
        ids = [source_patient(connection, number) for number in pair]
        service.decide(connection, ids[0], ids[1], says, "seen", "registrar")

    return step


def source_patient(connection: sa.Connection, number: str) -> int:
    row = connection.exec_driver_sql(
        "SELECT id FROM identity.source_patient WHERE facility || '.' || number = %s", (number,)
    )
    return int(row.scalar_one())


def interleaved(
    data: st.DataObject, said: Sequence[Sequence[Step]], decided: Sequence[tuple[tuple[str, str], Step]]
) -> Iterator[Step]:
    """Every number in its own order, everything else in any; a decision once both its numbers are known."""
    queues = {number: list(steps) for number, steps in zip(NUMBERS, said, strict=True)}
    known: set[str] = set()
    waiting = list(decided)
    while queues or waiting:
        ready: list[Any] = [*queues, *(one for one in waiting if set(one[0]) <= known)]
        chosen = data.draw(st.sampled_from(ready))
        if isinstance(chosen, str):
            known.add(chosen)
            yield queues[chosen].pop(0)
            if not queues[chosen]:
                del queues[chosen]
        else:
            waiting.remove(chosen)
            yield chosen[1]


def questions(connection: sa.Connection) -> set[frozenset[UUID]]:
    """Return of which persons it is asked whether they are one, by what they look like."""
    who = persons(connection)
    asked = (review for review in reviews(connection) if review[2] != "overlay")
    return {frozenset((who[left], who[right])) for left, right, _ in asked}


def played(connection: sa.Connection, steps: Iterator[Step]) -> set[frozenset[str]]:
    transaction = connection.begin_nested()
    for message, step in enumerate(steps, 1):
        step(connection, message)
    found = together(connection)
    transaction.rollback()
    return found


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days(), st.data())
def test_any_order_of_statements_and_decisions_ends_in_the_same_people(
    connection: sa.Connection, day: Any, data: st.DataObject
) -> None:
    first = played(connection, interleaved(data, *day))
    assert played(connection, interleaved(data, *day)) == first


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days(), st.data())
def test_every_decision_is_undone_exactly(connection: sa.Connection, day: Any, data: st.DataObject) -> None:
    transaction = connection.begin_nested()
    said, decided = day
    for message, step in enumerate(interleaved(data, said, ()), 1):
        step(connection, message)
    before, asked = persons(connection), questions(connection)
    for _, step in decided:
        step(connection, 0)
    ids = connection.exec_driver_sql("SELECT id FROM identity.verdict WHERE revoked_at IS NULL").scalars()
    for id_ in data.draw(st.permutations(list(ids))):
        service.revoke(connection, id_, "registrar", "undone")
    assert persons(connection) == before
    assert questions(connection) == asked
    transaction.rollback()


def test_a_merge_is_followed_by_the_link_that_the_model_made(connection: sa.Connection) -> None:
    register(connection, 1, "HP.a", **WHO)
    register(connection, 2, "MAIN.b", name="李四")
    register(connection, 3, "MAIN.c", **WHO)
    service.merge(connection, "MAIN", Merge(surviving="c", retired="b"), provenance(4, "MAIN"))
    assert together(connection) == {frozenset({"HP.a", "MAIN.b", "MAIN.c"})}
    service.unmerge(connection, "MAIN", "b", provenance(5, "MAIN"))
    assert together(connection) == {frozenset({"HP.a", "MAIN.c"}), frozenset({"MAIN.b"})}
