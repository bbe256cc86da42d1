"""One message, changes of several patients: all are recorded in one transaction, or none and why."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from bus import held
from bus.delivery.snapshot import restored
from bus.envelope import Arrival
from bus.hl7.header import peek
from bus.partition import patient_key
from bus.router.effects import Applied, Services
from bus.router.router import Router
from bus.rules.ruleset import RuleSet
from consortium.errors import PermanentError
from consortium.records.model import Change, Provenance
from tests.integration.bus.clinic import KEY, engine_of, hl7, rows, states, steps, store
from tests.unit.bus.rules.test_destinations import HOOK, WARD
from tests.unit.bus.rules.test_ruleset import folder

LAB = """\
name: main-lab-list
facility: MAIN
description: reports of several patients in one message
match: msg.type == "ORU^R01"
kind: report
waits: true
map:
  each: PID
  patient: {number: PID-3.1, name: {path: PID-5, as: name}}
  reports: {each: OBR, number: OBR-3.1, kind: {const: lab}, item: {code: OBR-4.1}}
destinations: [{to: ward-b, send: hl7}]
"""
PATIENT = """\
name: main-patient
facility: MAIN
description: a patient
match: msg.type == "ADT^A31"
kind: patient
map:
  patient:
    number: PID-3.1
    name: {path: PID-5, as: name}
    sex: {path: PID-8, lookup: sex, on_miss: hold}
"""


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = engine_of(database_url)
    yield engine
    engine.dispose()


class Refusing(Services):
    """The real services, which record nothing for one patient."""

    refuse = ""

    def __init__(self) -> None:
        self.order: list[int] = []

    def apply_many(
        self, connection: sa.Connection, changes: Sequence[tuple[Change, Provenance]]
    ) -> Sequence[Applied | PermanentError]:
        taken = [one for one in changes if one[0].patient.number != self.refuse]
        applied = iter(super().apply_many(connection, taken))
        self.order += [provenance.message_id for _, provenance in taken]
        return [next(applied) if one in taken else PermanentError("not today") for one in changes]


@pytest.fixture
def services() -> Refusing:
    return Refusing()


@pytest.fixture
def rules(tmp_path: Path) -> RuleSet:
    made = folder(tmp_path, LAB)
    (made / "campuses" / "huiya" / "20-patient.yaml").write_text(PATIENT)
    (made / "codes" / "sex.csv").write_text("facility,code,target,name,system\n*,F,female,女,\n")
    (made / "destinations").mkdir()
    (made / "destinations" / "ward-b.yaml").write_text(WARD)
    (made / "destinations" / "lab-hook.yaml").write_text(HOOK)
    return RuleSet.load(made)


@pytest.fixture
def router(engine: sa.Engine, services: Refusing, rules: RuleSet) -> Router:
    return Router(engine, rules, services, routing_key=KEY)


def several(*patients: str, known: bool = True) -> Arrival:
    """Return a message with a report of each patient; `known`: its adapter says whose it is."""
    lines = [line for p in patients[1:] for line in (f"PID|2||{p}^^^MAIN^MR||李^四", f"OBR|1||R-{p}|K")]
    arrival = hl7("ORU^R01", patients[0], sender="LIS", more=[f"OBR|1||R-{patients[0]}|K", *lines])
    further = peek(arrival.body, {"MAIN": "gb18030"}).further_patient_numbers
    assert further == patients[1:]
    return arrival._replace(further_patient_numbers=further if known else ())


def adt(patient: str, sex: str = "F", name: str = "王^珅") -> Arrival:
    return hl7("ADT^A31", patient, sex=sex, name=name)


def reports(url: str) -> list[tuple[str, str]]:
    query = (
        "SELECT p.number, r.number FROM records.report r"
        " JOIN identity.source_patient p ON p.id = r.patient_id ORDER BY 1, 2"
    )
    return [(patient, number) for patient, number in rows(url, query)]


BOTH = pytest.mark.parametrize("known", [True, False], ids=["known at the door", "known by the rule"])


@BOTH
def test_every_patient_gets_their_own_and_the_deliveries_too(
    router: Router, database_url: str, known: bool
) -> None:
    [id_] = store(database_url, several("M1", "M2", "M3", known=known))
    router.answer([id_])
    assert reports(database_url) == [("M1", "R-M1"), ("M2", "R-M2"), ("M3", "R-M3")]
    assert states(database_url) == {}
    [(detail,)] = rows(database_url, "SELECT detail FROM bus.trace WHERE step = 'recorded'")
    assert (detail["changes"], detail["rule"], detail["written"]["report"]) == (3, "main-lab-list", 3)
    found = rows(database_url, "SELECT part, patient_key, body FROM bus.delivery ORDER BY part")
    assert [key for _, key, _ in found] == [patient_key("MAIN", p, KEY) for p in ("M1", "M2", "M3")]
    assert [restored(bytes(body))[0].patient.number for _, _, body in found] == ["M1", "M2", "M3"]
    assert rows(database_url, "SELECT count(*) FROM bus.work_further") == [(0,)]
    numbers = rows(database_url, "SELECT number FROM bus.numbered ORDER BY 1")
    assert [number for (number,) in numbers] == ["R-M1", "R-M2", "R-M3"]


@BOTH
def test_one_that_cannot_be_recorded_holds_all_and_is_named(
    router: Router, database_url: str, known: bool
) -> None:
    # R-M9 belongs to M9: a report of M2 under that number cannot be recorded.
    [first] = store(database_url, several("M9"))
    router.answer([first])
    wrong = several("M1", "M2", "M3", known=known)
    wrong = wrong._replace(body=wrong.body.replace(b"R-M2", b"R-M9"))
    bad, after, other = store(database_url, wrong, adt("M3"), adt("M4"))
    router.answer([bad, after, other])
    assert reports(database_url) == [("M9", "R-M9")], "none of it is written"
    assert states(database_url) == {bad: 1, after: 2}
    [(code, field, reason)] = rows(database_url, "SELECT code, field, reason FROM bus.held")
    assert (code, field) == ("number_of_other_patient", "[2].reports[0].number")
    assert reason.startswith("change 2 of 3: ")


@BOTH
def test_those_of_any_of_its_patients_wait_behind_a_held_one_and_follow(
    router: Router, database_url: str, engine: sa.Engine, services: Refusing, known: bool
) -> None:
    services.refuse = "M2"
    bad, second, third = store(database_url, several("M1", "M2", known=known), adt("M2"), adt("M1"))
    router.answer([bad])
    router.answer([second, third])
    assert states(database_url) == {bad: 1, second: 2, third: 2}
    services.refuse = ""
    with engine.begin() as connection:
        ready = held.release(connection, bad, "engineer")
    assert ready == [bad, second, third]
    services.order.clear()
    router.answer(ready)
    assert states(database_url) == {}
    assert list(dict.fromkeys(services.order)) == [bad, second, third]


def test_what_came_before_for_any_of_its_patients_goes_first(router: Router, database_url: str) -> None:
    bad, message = store(database_url, adt("M2", sex="X"), several("M1", "M2"))
    router.answer([message])
    assert states(database_url) == {bad: 1, message: 2}, "M2's earlier message is held"


def test_a_discarded_one_leaves_nothing_behind(
    router: Router, database_url: str, engine: sa.Engine, services: Refusing
) -> None:
    services.refuse = "M2"
    bad, second = store(database_url, several("M1", "M2"), adt("M2"))
    router.answer([bad, second])
    with engine.begin() as connection:
        assert held.discard(connection, bad, "engineer", "test") == [second]
    services.refuse = ""
    router.answer([second])
    assert states(database_url) == {}
    assert rows(database_url, "SELECT count(*) FROM bus.work_further") == [(0,)]


def test_crossing_lists_never_lock_each_other_out(
    engine: sa.Engine, database_url: str, router: Router, rules: RuleSet
) -> None:
    crossing = (several("M1", "M2") if n % 2 else several("M2", "M1") for n in range(20))
    ids = store(database_url, *crossing)
    other = Router(engine, rules, Services(), routing_key=KEY)
    threads = [
        threading.Thread(target=lambda r=r, mine=mine: [r.answer([id_]) for id_ in mine])
        for r, mine in ((router, ids[::2]), (other, ids[1::2]))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert states(database_url) == {}
    assert [steps(database_url, id_).count("recorded") for id_ in ids] == [1] * 20
    sent = rows(database_url, "SELECT message_id, part FROM bus.delivery ORDER BY id")
    assert sent == [(id_, part) for id_ in ids for part in (1, 2)], "in inbox order"
