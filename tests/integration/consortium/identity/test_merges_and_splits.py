"""Merges and splits at random while records come in: every record stays with the right person, and every undo
leads back.

Half of the numbers are duplicates: of somebody who has a number already. Hypothesis chooses what happens, and
after each step the database is compared with what was truly said and decided.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from consortium.identity import service
from consortium.identity.review import Says
from consortium.records import query
from consortium.records import service as records
from consortium.records.model import Change, Encounter, Kind, Merge
from tests.integration.consortium.identity.pairs import PEOPLE, provenance, register, stale_goldens

CAMPUSES = ("MAIN", "HP", "HY")
Partition = frozenset[frozenset[int]]


@dataclass
class Known:
    """One number, and what was truly said of it."""

    id: int
    facility: str
    number: str
    who: int
    """Index into PEOPLE."""
    merged_into: int | None = None
    visits: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Decided:
    """A standing decision, with who was who before it."""

    id: int
    pair: tuple[int, int]
    says: str
    before: Partition
    step: int


def connected(nodes: list[int], edges: list[tuple[int, int]]) -> list[set[int]]:
    """Return the connected groups."""
    groups = [{node} for node in nodes]
    for edge in edges:
        touched = [group for group in groups if group & set(edge)]
        groups = [group for group in groups if group not in touched] + [set().union(*touched)]
    return groups


class MergesAndSplits(RuleBasedStateMachine):
    """One day in one transaction, which is rolled back at its end."""

    engine: ClassVar[sa.Engine]

    def __init__(self) -> None:
        super().__init__()
        self.connection = self.engine.connect()
        self.known: dict[int, Known] = {}
        self.decided: list[Decided] = []
        self.message = 0
        self.step = 0

    def teardown(self) -> None:
        try:
            self.undo_all()
        finally:
            self.connection.rollback()
            self.connection.close()

    def next_message(self) -> int:
        self.message += 1
        self.step += 1
        return self.message

    @rule(who=st.integers(0, len(PEOPLE) - 1), campus=st.sampled_from(CAMPUSES))
    def somebody_is_registered(self, who: int, campus: str) -> None:
        message = self.next_message()
        number = f"{campus}-{message}"
        id_ = register(self.connection, message, campus, PEOPLE[who].as_patient(number))
        self.known[id_] = Known(id_, campus, number, who)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def a_record_comes_in(self, data: st.DataObject) -> None:
        one = self.known[data.draw(st.sampled_from(sorted(self.known)))]
        message = self.next_message()
        visit = Encounter(number=f"V{message}", class_="outpatient", status="finished")
        patient = PEOPLE[one.who].as_patient(one.number)
        change = Change(kind=Kind.ENCOUNTER, patient=patient, encounter=visit)
        applied = records.apply(self.connection, change, provenance(message, one.facility))
        assert applied.source_patient_id == one.id
        one.visits.append(visit.number)

    @precondition(lambda self: len(self.known) > 1)
    @rule(data=st.data(), says=st.sampled_from(["same", "different"]))
    def a_person_decides(self, data: st.DataObject, says: Says) -> None:
        ids = data.draw(st.lists(st.sampled_from(sorted(self.known)), min_size=2, max_size=2, unique=True))
        left, right = sorted(ids)
        if not self.reasonable((left, right), says):
            return
        before = self.partition()
        self.step += 1
        made = service.decide(self.connection, left, right, says, "看过", "lin")
        self.decided.append(Decided(made, (left, right), says, before, self.step))

    def reasonable(self, pair: tuple[int, int], says: str) -> bool:
        """Whether a decision does not contradict those that stand."""
        if any(one.pair == pair for one in self.decided):
            return False
        same = [one.pair for one in self.decided if one.says == "same"]
        apart = [one.pair for one in self.decided if one.says == "different"]
        same, apart = ([*same, pair], apart) if says == "same" else (same, [*apart, pair])
        groups = connected(sorted(self.known), same)
        return not any(set(one) <= group for one in apart for group in groups)

    @precondition(lambda self: self.decided)
    @rule(data=st.data())
    def a_decision_is_taken_back(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.decided))
        service.revoke(self.connection, one.id, "lin", "看错了")
        self.decided.remove(one)
        if one.step == self.step:
            assert self.partition() == one.before, "the last decision undone leads back to where it began"
        self.step += 1

    @precondition(lambda self: any(self.duplicates()))
    @rule(data=st.data())
    def a_campus_merges_two_numbers(self, data: st.DataObject) -> None:
        surviving, retired = data.draw(st.sampled_from(list(self.duplicates())))
        merge = Merge(surviving=surviving.number, retired=retired.number)
        message = self.next_message()
        service.merge(self.connection, surviving.facility, merge, provenance(message, surviving.facility))
        retired.merged_into = surviving.id

    def duplicates(self) -> Iterator[tuple[Known, Known]]:
        """Two numbers in use that a campus gave to one person."""
        in_use = [one for one in self.known.values() if one.merged_into is None]
        for index, one in enumerate(in_use):
            for other in in_use[index + 1 :]:
                if (one.facility, one.who) == (other.facility, other.who):
                    yield one, other

    @precondition(lambda self: any(one.merged_into for one in self.known.values()))
    @rule(data=st.data())
    def a_campus_undoes_a_merge(self, data: st.DataObject) -> None:
        retired = data.draw(
            st.sampled_from([one for one in self.known.values() if one.merged_into is not None])
        )
        message = self.next_message()
        service.unmerge(
            self.connection, retired.facility, retired.number, provenance(message, retired.facility)
        )
        retired.merged_into = None

    @invariant()
    def who_is_who(self) -> None:
        """Of whom nobody decided, and nobody beside them, all are together, and with nobody else."""
        partition = self.partition()
        by_truth = [(a.id, b.id) for a in self.known.values() for b in self.known.values() if a.who == b.who]
        touched = {id_ for one in self.decided for id_ in one.pair}
        for group in connected(sorted(self.known), by_truth):
            if not group & touched:
                assert frozenset(group) in partition
        for one in self.decided:
            together = any(set(one.pair) <= group for group in partition)
            assert together == (one.says == "same"), one
        allowed = by_truth + [one.pair for one in self.decided if one.says == "same"]
        reachable = connected(sorted(self.known), allowed)
        for person in partition:
            assert any(person <= group for group in reachable), "automation linked strangers"

    @invariant()
    def records_stay_where_they_were_written(self) -> None:
        persons = self.persons()
        for one in self.known.values():
            rows = self.connection.execute(
                sa.text("SELECT number FROM records.encounter WHERE patient_id = :id ORDER BY id"),
                {"id": one.id},
            )
            assert sorted(rows.scalars()) == sorted(one.visits)
        for person in set(persons.values()):
            wanted = query.Search(person=person, limit=200)
            found = {row["number"] for row in query.encounters(self.connection, wanted).rows}
            members = [self.known[id_] for id_, theirs in persons.items() if theirs == person]
            assert found == {visit for one in members for visit in one.visits}

    @invariant()
    def no_golden_record_is_stale(self) -> None:
        assert stale_goldens(self.connection) == []

    def undo_all(self) -> None:
        """Take everything back, newest first: who is who then depends on what campuses said alone."""
        for one in reversed(self.decided):
            service.revoke(self.connection, one.id, "lin", "收工")
        self.decided.clear()
        self.who_is_who()
        self.records_stay_where_they_were_written()
        self.no_golden_record_is_stale()

    def persons(self) -> dict[int, UUID]:
        rows = self.connection.execute(sa.text("SELECT source_patient_id, person_id FROM identity.link"))
        return {row.source_patient_id: row.person_id for row in rows}

    def partition(self) -> Partition:
        persons = self.persons()
        return frozenset(
            frozenset(id_ for id_, theirs in persons.items() if theirs == person)
            for person in persons.values()
        )


@pytest.mark.timeout(240)
def test_every_undo_leads_back_and_every_record_stays(engine: sa.Engine) -> None:
    MergesAndSplits.engine = engine
    bounded = settings(max_examples=12, stateful_step_count=30, suppress_health_check=[HealthCheck.too_slow])
    run_state_machine_as_test(MergesAndSplits, settings=bounded)
