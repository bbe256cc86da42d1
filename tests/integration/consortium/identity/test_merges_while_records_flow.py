"""Merges and splits at random while records flow in on other connections: nothing is lost or left behind.

`YILIAN_TEST_MERGES` sets how many are decided; the day of the issue has 1,000.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import pytest
import sqlalchemy as sa

from consortium.errors import ConflictError
from consortium.identity import service
from consortium.identity.review import Says
from consortium.identity.settling import settled
from consortium.records import service as records
from consortium.records.model import Change, Encounter, Kind, Provenance
from tests.integration.consortium.identity.pairs import (
    provenance,
    register,
    somebody,
    stale_goldens,
)

DECISIONS = int(os.environ.get("YILIAN_TEST_MERGES", "100"))
CAMPUSES = ("MAIN", "HP", "HY")
PEOPLE, TOGETHER = 60, 3
"""People are decided about within groups, as those are whom a registrar takes for each other."""
DECIDERS, WRITERS = 2, 2
TRIES = 50


@dataclass(frozen=True)
class Number:
    id: int
    facility: str
    number: str
    who: int


class Day:
    """What the threads share."""

    def __init__(self, engine: sa.Engine, numbers: list[Number]) -> None:
        self.engine = engine
        self.numbers = numbers
        self.written: dict[str, int] = {}
        self.standing: set[int] = set()
        self.made = 0
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._message = 1000

    def message(self) -> int:
        with self._lock:
            self._message += 1
            return self._message

    def write(self, seed: int) -> None:
        """Apply records until the deciders are done."""
        chance = random.Random(seed)
        while not self.over.is_set():
            one, message = chance.choice(self.numbers), self.message()
            visit = Encounter(number=f"V{message}", class_="outpatient", status="finished")
            patient = somebody(one.who).as_patient(one.number, address=f"{chance.randrange(9)} 号")
            change = Change(kind=Kind.ENCOUNTER, patient=patient, encounter=visit)
            said = provenance(message, one.facility)
            again(partial(self.record, change, said))
            self.written[visit.number] = one.id

    def record(self, change: Change, said: Provenance) -> None:
        with self.engine.begin() as connection:
            records.apply(connection, change, said)

    def decide(self, seed: int) -> None:
        """Merge and split at random, and take half of it back at once."""
        chance = random.Random(seed)
        for _ in range(DECISIONS // DECIDERS):
            group = chance.randrange(PEOPLE // TOGETHER)
            near = [one.id for one in self.numbers if one.who // TOGETHER == group]
            left, right = sorted(chance.sample(near, 2))
            try:
                made = settled(self.engine, self.deciding(left, right, chance, f"decider {seed}"))
            except ConflictError:
                continue  # the other decided this pair, or it contradicts what stands
            with self._lock:
                self.made += 1
                self.standing.add(made)
            if chance.random() < 0.5:
                self.take_back(made)

    def deciding(
        self, left: int, right: int, chance: random.Random, by: str
    ) -> Callable[[sa.Connection], int]:
        says: Says = chance.choice(["same", "different"])
        return lambda connection: service.decide(connection, left, right, says, "看过", by)

    def take_back(self, made: int) -> None:
        with suppress(ConflictError):  # the other decided just the same, and took it back already
            settled(self.engine, lambda connection: service.revoke(connection, made, "decider", "看错了"))
        self.standing.discard(made)


def again(work: Callable[[], None]) -> None:
    """Begin again after a deadlock, as the router does with a batch."""
    for left in reversed(range(TRIES)):
        try:
            return work()
        except sa.exc.OperationalError as error:
            if left == 0 or getattr(error.orig, "sqlstate", None) != "40P01":
                raise
    return None


def run(*parts: Callable[[], None]) -> None:
    """Run parts beside each other; raises what any of them raised."""
    with ThreadPoolExecutor(len(parts)) as pool:
        for future in [pool.submit(part) for part in parts]:
            future.result()


@pytest.mark.timeout(300)
def test_every_record_stays_with_its_number_and_every_undo_leads_back(engine: sa.Engine) -> None:
    numbers = []
    with engine.begin() as connection:
        for message in range(1, 2 * PEOPLE + 1):
            who, facility = message % PEOPLE, CAMPUSES[message // 2 % len(CAMPUSES)]
            number = f"{facility}-{message}"
            id_ = register(connection, message, facility, somebody(who).as_patient(number))
            numbers.append(Number(id_, facility, number, who))
    day = Day(engine, numbers)

    def deciding() -> None:
        try:
            run(*(lambda seed=seed: day.decide(seed) for seed in range(DECIDERS)))
        finally:
            day.over.set()

    run(deciding, *(lambda seed=seed: day.write(100 + seed) for seed in range(WRITERS)))
    for made in sorted(day.standing):
        day.take_back(made)
    assert day.made > DECISIONS // 4
    assert len(day.written) > 0
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT number, patient_id FROM records.encounter"))
        assert {row.number: row.patient_id for row in rows} == day.written
        standing = "SELECT count(*) FROM identity.verdict WHERE revoked_at IS NULL"
        assert connection.execute(sa.text(standing)).scalar_one() == 0
        links = connection.execute(sa.text("SELECT source_patient_id, person_id FROM identity.link"))
        person = {row.source_patient_id: row.person_id for row in links}
        by_person = {(person[one.id], one.who) for one in numbers}
        assert len(by_person) == PEOPLE, "who is who is what the campuses say alone"
        assert stale_goldens(connection) == []
