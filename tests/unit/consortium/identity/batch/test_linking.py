"""A population linked at once: few mistakes, and the same on one processor as on two."""

from __future__ import annotations

from itertools import islice

import pytest

from bench.identity import patients, weighed
from consortium.identity.batch.linking import Linked, link
from consortium.identity.matching import active
from simulators.population.records import Record, population


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return list(islice(population(5, 1200), 2500))


@pytest.fixture(scope="module")
def linked(records: list[Record]) -> Linked:
    return link(patients(records), active())


def test_nearly_everybody_is_found_and_nobody_is_merged_with_another(
    records: list[Record], linked: Linked
) -> None:
    report = weighed([r.person for r in records], linked, records)
    assert report["pairs"]["recall"] > 0.95
    assert report["false_merges"] == 0
    assert report["review_load"] < 0.02


def test_two_processes_find_what_one_finds(records: list[Record], linked: Linked) -> None:
    both = link(patients(records), active(), processes=2)
    assert both.edges == linked.edges
    assert both.suspects == linked.suspects
    assert both.groups == linked.groups


def test_newborns_without_a_name_are_linked_to_nobody(records: list[Record], linked: Linked) -> None:
    newborns = {place for place, record in enumerate(records) if "newborn" in record.slips}
    assert newborns
    assert all(len(group) == 1 for group in linked.groups if any(member.id in newborns for member in group))
