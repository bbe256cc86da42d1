"""Registering, linking and merging on a real PostgreSQL."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from threading import Thread
from typing import Any
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa

from consortium.identity import service
from consortium.identity.model import MergeError
from consortium.identity.search import PersonSearch
from consortium.records.model import Merge, Patient, Provenance

CARD = "11010519491231002X"
BORN = date(1949, 12, 31)
NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)


def provenance(message: int, facility: str = "MAIN", version: str | None = None) -> Provenance:
    return Provenance(
        message_id=message,
        facility=facility,
        received_at=NOW + timedelta(seconds=message),
        source_version=version,
    )


def register(
    connection: sa.Connection,
    message: int,
    facility: str,
    number: str,
    version: str | None = None,
    **facts: Any,
) -> UUID:
    patient = Patient(number=number, **facts)
    return service.register(connection, facility, patient, provenance(message, facility, version)).person_id


def ledger(connection: sa.Connection) -> list[tuple[Any, ...]]:
    rows = (
        "SELECT source_patient_id, from_person, to_person, rule, message_id FROM identity.ledger ORDER BY id"
    )
    return [tuple(row) for row in connection.execute(sa.text(rows))]


def versions(connection: sa.Connection) -> int:
    return int(
        connection.execute(sa.text("SELECT count(*) FROM identity.source_patient_history")).scalar_one()
    )


def test_a_person_known_at_three_campuses_is_found_by_id_card(connection: sa.Connection) -> None:
    main = register(connection, 1, "MAIN", "M1", name="王珅", id_card=CARD, birth_date=BORN)
    assert register(connection, 2, "HP", "H1", name="王珅", id_card="110105491231002") == main
    assert register(connection, 3, "HY", "Y1", name="王坤", id_card=CARD.lower(), birth_date=BORN) == main
    found = service.search(connection, PersonSearch(id_card=CARD.lower())).rows
    assert [person["id"] for person in found] == [main]
    assert [(i["facility"], i["number"]) for i in found[0]["identifiers"]] == [
        ("HP", "H1"),
        ("HY", "Y1"),
        ("MAIN", "M1"),
    ]


def test_the_same_again_changes_nothing(connection: sa.Connection) -> None:
    register(connection, 1, "MAIN", "M1", name="王珅", id_card=CARD)
    before = ledger(connection), service.search(connection, PersonSearch(number="M1"))
    register(connection, 1, "MAIN", "M1", name="王珅", id_card=CARD)
    assert (ledger(connection), service.search(connection, PersonSearch(number="M1"))) == before
    assert versions(connection) == 0


def test_a_fact_not_spoken_of_stays(connection: sa.Connection) -> None:
    register(connection, 1, "MAIN", "M1", name="王珅", phone="13800138000")
    register(connection, 2, "MAIN", "M1", address="广州")
    person = service.search(connection, PersonSearch(number="M1", facility="MAIN")).rows[0]
    assert (person["name"], person["phone"], person["address"]) == ("王珅", "13800138000", "广州")
    assert versions(connection) == 1


def test_a_corrected_card_moves_the_link_and_the_ledger_tells(connection: sa.Connection) -> None:
    main = register(connection, 1, "MAIN", "M1", name="王珅", id_card=CARD)
    assert register(connection, 2, "HP", "H1", name="王珅") != main
    assert register(connection, 3, "HP", "H1", id_card=CARD) == main
    assert register(connection, 4, "HP", "H1", id_card="440105199003072310") != main
    assert [(row[3], row[4]) for row in ledger(connection)] == [
        ("own_number", 1), ("own_number", 2), ("id_card", 3), ("own_number", 4),
    ]  # fmt: skip


def test_when_the_first_one_leaves_the_others_stay_together(connection: sa.Connection) -> None:
    first = register(connection, 1, "MAIN", "M1", name="王珅", id_card=CARD)
    register(connection, 2, "HP", "H1", name="王珅", id_card=CARD)
    register(connection, 3, "HY", "Y1", name="王珅", id_card=CARD)
    assert register(connection, 4, "MAIN", "M1", name="王珅", id_card="440105199003072310") == first
    second = service.person_of(connection, "HP", "H1")
    assert second not in (None, first)
    assert service.person_of(connection, "HY", "Y1") == second
    assert service.successors(connection, first) == [second]


def test_a_manual_link_is_left_alone(connection: sa.Connection) -> None:
    mine = register(connection, 1, "MAIN", "M1", name="王珅")
    connection.execute(sa.text("UPDATE identity.link SET origin = 'manual'"))
    register(connection, 2, "HP", "H1", name="王珅", id_card=CARD)
    assert register(connection, 3, "MAIN", "M1", id_card=CARD) == mine


@pytest.mark.parametrize("order", ["numbers first", "merge first"])
def test_a40_comes_to_one_end_in_either_order(connection: sa.Connection, order: str) -> None:
    steps: list[Callable[[], object]] = [
        lambda: register(connection, 1, "MAIN", "M1", name="王珅", phone="1"),
        lambda: register(connection, 2, "MAIN", "M2", name="王珅", address="广州"),
        lambda: service.merge(connection, "MAIN", Merge(surviving="M2", retired="M1"), provenance(3)),
    ]
    for step in steps if order == "numbers first" else steps[::-1]:
        step()
    survivor = service.person_of(connection, "MAIN", "M2")
    assert survivor is not None
    assert service.person_of(connection, "MAIN", "M1") == survivor
    person = service.search(connection, PersonSearch(ids=(survivor,))).rows[0]
    assert (person["phone"], person["address"]) == ("1", "广州")
    assert [(i["number"], i["active"]) for i in person["identifiers"]] == [("M1", False), ("M2", True)]


def test_a40_sent_twice_has_one_effect(connection: sa.Connection) -> None:
    register(connection, 1, "MAIN", "M1", name="王珅")
    for message in (2, 2, 5):
        service.merge(connection, "MAIN", Merge(surviving="M2", retired="M1"), provenance(message))
    assert len(ledger(connection)) == 3
    assert versions(connection) == 1


def test_a_merge_is_undone(connection: sa.Connection) -> None:
    first = register(connection, 1, "MAIN", "M1", name="王珅")
    second = register(connection, 2, "MAIN", "M2", name="李四")
    service.merge(connection, "MAIN", Merge(surviving="M2", retired="M1"), provenance(3))
    assert service.person_of(connection, "MAIN", "M1") == second
    assert service.unmerge(connection, "MAIN", "M1", provenance(4)).person_id == first
    assert service.search(connection, PersonSearch(number="M1")).rows[0]["name"] == "王珅"
    with pytest.raises(MergeError) as refused:
        service.unmerge(connection, "MAIN", "M1", provenance(5))
    assert refused.value.code == "not_merged"


@pytest.mark.parametrize(
    ("surviving", "retired", "code"), [("M1", "M1", "merge_with_itself"), ("M1", "M2", "merge_cycle")]
)
def test_an_impossible_merge_is_refused(
    connection: sa.Connection, surviving: str, retired: str, code: str
) -> None:
    service.merge(connection, "MAIN", Merge(surviving="M2", retired="M1"), provenance(1))
    with pytest.raises(MergeError) as refused:
        service.merge(connection, "MAIN", Merge(surviving=surviving, retired=retired), provenance(2))
    assert refused.value.code == code


def test_an_older_source_version_does_not_overwrite(connection: sa.Connection) -> None:
    register(connection, 1, "HY", "Y1", "2026-11-20T08:00:00.010+00:00", name="王珅")
    register(connection, 2, "HY", "Y1", "2026-11-20T08:00:00.009+00:00", name="王坤", phone="1")
    person = service.search(connection, PersonSearch(number="Y1")).rows[0]
    assert (person["name"], person["phone"]) == ("王珅", "1")


def test_people_are_found_by_name_birth_date_and_page(connection: sa.Connection) -> None:
    for index in range(5):
        register(connection, index + 1, "MAIN", f"M{index}", name=f"买买提·吐尔逊{index}", birth_date=BORN)
    register(connection, 9, "MAIN", "other", name="王珅", birth_date=date(1950, 1, 1))
    wanted: dict[str, Any] = {"name": "买买提．吐", "birth_since": BORN, "birth_before": date(1950, 1, 1)}
    pages: list[int] = []
    after: UUID | None = None
    while not pages or after is not None:
        page = service.search(connection, PersonSearch(**wanted, limit=2, after=after))
        pages.append(len(page.rows))
        after = page.after
    assert pages == [2, 2, 1]
    assert (
        service.search(connection, PersonSearch(name="吐尔逊", name_match="contains", limit=9)).after is None
    )
    assert [
        p["name"] for p in service.search(connection, PersonSearch(name="王珅", name_match="exact")).rows
    ] == ["王珅"]
    assert service.search(connection, PersonSearch(id_card="123")).rows == []


def test_a_number_is_known_once_registered(connection: sa.Connection) -> None:
    assert not service.known(connection, "MAIN", "M1")
    register(connection, 1, "MAIN", "M1")
    assert service.known(connection, "MAIN", "M1")
    assert not service.known(connection, "HP", "M1")


def test_what_is_append_only_cannot_be_changed(connection: sa.Connection) -> None:
    register(connection, 1, "MAIN", "M1")
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        connection.execute(sa.text("UPDATE identity.ledger SET reason = 'x'"))


def wait_until_blocked(engine: sa.Engine, pid: int, thread: Thread) -> None:
    """Wait until a backend, used by a thread, waits for a lock."""
    waiting = sa.text("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = :pid")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watcher:
        while not watcher.execute(waiting, {"pid": pid}).scalar_one():
            assert thread.is_alive(), "it did not wait for the other transaction"


@pytest.mark.parametrize("numbers", [("M1", "H1"), ("M1", "M1")])
def test_two_transactions_with_one_id_card_end_in_one_person(
    engine: sa.Engine, numbers: tuple[str, str]
) -> None:
    facilities = ("MAIN", "HP") if numbers[0] != numbers[1] else ("MAIN", "MAIN")
    with engine.connect() as first, engine.connect() as second:
        pid = second.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        register(first, 1, facilities[0], numbers[0], name="王珅", id_card=CARD)
        found: list[UUID] = []

        def late() -> None:
            found.append(register(second, 2, facilities[1], numbers[1], name="王珅", id_card=CARD))
            second.commit()

        thread = Thread(target=late)
        thread.start()
        wait_until_blocked(engine, pid, thread)
        first.commit()
        thread.join(timeout=30)
        assert found == [service.person_of(first, facilities[0], numbers[0])]
        assert len(service.search(first, PersonSearch(id_card=CARD)).rows) == 1


def test_gb18030_names_survive(connection: sa.Connection, database_url: str) -> None:
    name = bytes.fromhex("cdf5ab7c 8139ef30 95328236").decode("gb18030")
    person = register(connection, 1, "MAIN", "M1", name=name)
    assert service.search(connection, PersonSearch(name=name, name_match="exact")).rows[0]["id"] == person
    with psycopg.connect(database_url) as raw:
        assert raw.execute("SELECT %s::text", (name,)).fetchone() == (name,)
