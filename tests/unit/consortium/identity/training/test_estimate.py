"""Splink estimates through our own comparison what a generator put in."""

from __future__ import annotations

import random
import warnings

import pytest

from consortium.identity.matching import MISSING
from consortium.identity.training.estimate import Estimate, Field, Plan, SampleError, estimate

NAME_RIGHT, BIRTH_RIGHT, PHONE_RIGHT = 0.9, 0.95, 0.8
"""Probabilities with which the second record of a person repeats the first one's."""
PLAN = Plan(
    fields={
        "name": Field(("exact", "near", "differs"), "name"),
        "birth": Field(("exact", "differs"), "birth"),
        "phone": Field(("exact", "never", "differs"), "phone"),
    },
    passes=(("name",), ("birth",)),
    certain=(("name", "birth"),),
    random_pairs=20_000,
    pass_pairs=20_000,
)


def _records(people: int) -> list[tuple[int, int, int | None]]:
    rng = random.Random(3)
    made: list[tuple[int, int, int | None]] = []
    for _ in range(people):
        name, birth, phone = rng.randrange(400) * 10, rng.randrange(400), rng.randrange(10**6)
        made.append((name, birth, phone))
        made.append(
            (
                name if rng.random() < NAME_RIGHT else name + 1,
                birth if rng.random() < BIRTH_RIGHT else rng.randrange(400),
                None if rng.random() < 0.1 else phone if rng.random() < PHONE_RIGHT else rng.randrange(10**6),
            )
        )
    return made


def _estimate(records: list[tuple[int, int, int | None]]) -> Estimate:
    def name(left: int, right: int) -> str:
        one, other = records[left][0], records[right][0]
        return "exact" if one == other else "near" if one // 10 == other // 10 else "differs"

    def birth(left: int, right: int) -> str:
        return "exact" if records[left][1] == records[right][1] else "differs"

    def phone(left: int, right: int) -> str:
        one, other = records[left][2], records[right][2]
        return MISSING if None in (one, other) else "exact" if one == other else "differs"

    keys = {name: [r[place] for r in records] for place, name in enumerate(("name", "birth", "phone"))}
    with warnings.catch_warnings():  # Splink's and DuckDB's own
        warnings.simplefilter("ignore")
        return estimate(keys, {"name": name, "birth": birth, "phone": phone}, PLAN)


@pytest.fixture(scope="module")
def found() -> Estimate:
    return _estimate(_records(1500))


def test_m_is_how_often_the_same_person_agrees(found: Estimate) -> None:
    assert found.fields["name"]["exact"].m == pytest.approx(NAME_RIGHT, abs=0.03)
    assert found.fields["name"]["near"].m == pytest.approx(1 - NAME_RIGHT, abs=0.03)
    assert found.fields["birth"]["exact"].m == pytest.approx(BIRTH_RIGHT, abs=0.03)
    assert found.fields["phone"]["exact"].m == pytest.approx(PHONE_RIGHT, abs=0.03)


def test_u_is_how_often_strangers_agree(found: Estimate) -> None:
    assert found.fields["birth"]["exact"].u == pytest.approx(1 / 400, rel=0.2)
    assert found.fields["name"]["exact"].u == pytest.approx(1 / 400, rel=0.25)
    assert (found.fields["phone"]["exact"].u or 0) < 1e-4


def test_the_prior_is_the_share_of_pairs_that_are_one_person(found: Estimate) -> None:
    assert found.prior == pytest.approx(1500 / (3000 * 2999 / 2), rel=0.35)


def test_a_level_that_was_not_met_has_no_estimate(found: Estimate) -> None:
    assert found.fields["phone"]["never"].m is None
    assert found.fields["phone"]["never"].u is None


def test_a_sample_without_anybody_twice_is_refused() -> None:
    with pytest.raises(SampleError, match="agree on name: take a larger one"):
        _estimate([(n, n, n) for n in range(200)])
